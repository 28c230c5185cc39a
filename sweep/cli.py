"""The command line: arguments in, exit code out; every refusal is one line on stderr."""

from __future__ import annotations

import sys

from sweep.compose import compose
from sweep.document.text import one_line
from workers.schema import ScenarioError

BAD_INPUT, INTERRUPTED = 2, 130


def main(argv: list[str]) -> int:
    """Runs one sweep and returns its exit code.

    0 complete, 1 finished with failed points, 2 bad input, 3 something moved against the baseline (whether points
    failed or not: new failures are among what moves), 130 interrupted (Ctrl-C or SIGTERM).
    """
    try:
        composed = compose(argv)
        if composed is None:
            return 0
        if composed.config.point is not None:
            from sweep.point import run_point

            return run_point(composed.config, composed.library)
        if composed.config.dry_run:
            from sweep.dry_run import dry_run

            return dry_run(composed.config, composed.library)
        from sweep.run import run  # polars and matplotlib are not needed to show help

        return run(composed.config, composed.library, ["python", "-m", "sweep", *argv])
    except ScenarioError as error:
        print(f"sweep: {one_line(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nsweep: interrupted", file=sys.stderr)
        return INTERRUPTED
