"""The command line of ``python -m sweep``: which of the things it does, and with what."""

from __future__ import annotations

from sweep.command import COMPLETE
from sweep.compose import compose


def main(argv: list[str]) -> int:
    """Runs one sweep; 0, 1 where points failed, or 3 where something moved against the baseline (whether points failed
    or not: new failures are among what moves). Raises ScenarioError for bad input."""
    composed = compose(argv)
    if composed is None:
        return COMPLETE
    if composed.config.point is not None:
        from sweep.point import run_point

        return run_point(composed.config, composed.library, overrides=composed.overrides)
    if composed.config.dry_run:
        from sweep.dry_run import dry_run

        return dry_run(composed.config, composed.library)
    from sweep.run import run  # polars and matplotlib are not needed to show help

    return run(composed.config, composed.library, ["python", "-m", "sweep", *argv])
