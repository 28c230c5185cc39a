"""What was reported of real machines beside what the model says of them, as a Markdown table.

    python -m sweep +grid=incidents output=DIR
    python benchmarks/incidents.py DIR

The reports stand in conf/grid/incidents.yaml, point by point; DIR holds the sweep's results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import OmegaConf

GRID = Path(__file__).parents[1] / "conf" / "grid" / "incidents.yaml"
SHOWN = {"array": "before", "list": "after"}
HEAD = ("incident", "reported", "", "verdict", "longest stay", "longest callback", "lock held", "lockups an hour")


def points() -> list[dict[str, Any]]:
    """The grid's points: name, what was reported, what was assumed, and their columns."""
    grid = OmegaConf.to_container(OmegaConf.load(GRID))
    assert isinstance(grid, dict)
    return grid["points"]


def table(results: pl.DataFrame) -> str:
    """One row an incident and policy of SHOWN; ``results``: rows of results.parquet of grid=incidents."""
    rows = {row["id"]: row for row in results.to_dicts()}
    lines = [HEAD, ("-",) * len(HEAD)]
    for point in points():
        for policy, label in SHOWN.items():
            row = rows[f"{point['name']}:{policy}"]
            named = (f"`{point['name']}`", point["reported"].strip()) if policy == "array" else ("", "")
            lines.append((*named, label, *_said(row)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _said(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["soft_lockup_hazard_low_per_hour"], row["soft_lockup_hazard_high_per_hour"]
    return (
        row["verdict"],
        _time(row["softirq_residency_max_ms"]),
        _time(row["callback_max_ms"]),
        f"{100 * row['rbtree_lock_held_fraction']:.0f} %",
        f"{row['soft_lockup_hazard_per_hour']:.3g} ({low:.3g} to {high:.3g})" if high else "0",
    )


def _time(ms: float) -> str:
    return f"{ms / 1e3:.1f} s" if ms >= 1_000 else f"{ms:.3g} ms"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Reported incidents beside the model's answers")
    parser.add_argument("folder", type=Path, help="of a sweep of grid=incidents")
    options = parser.parse_args(arguments)
    try:
        print(table(pl.read_parquet(options.folder / "results.parquet")))
    except (OSError, KeyError, pl.exceptions.PolarsError) as error:
        print(f"{options.folder}: holds no results of grid=incidents ({error.__class__.__name__})", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
