"""Whether the length of a slice decides: the model's classes with slices half and twice as long.

    python benchmarks/slice_lengths.py TRUTH.jsonl [--rows N] [--times 0.5 ...]

TRUTH is described in benchmarks/truth.py; only its scenarios are used. All of them run in slices; those that the model
would settle event by event, where the length of a slice decides nothing, are counted apart. A slice still ends at the
next timer and at the horizon. The class is that of the longest stay in the softirq: below the re-arm period, below 1 s,
longer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.in_slices import LeftToEventsError, simulate
from benchmarks.truth import TruthError, check_rows, columns, read_cases, residency_class, spread
from workers.schema import Columns
from workers.slices import length, run

ASKED = 0.98
FIGURES = ("callback_mean_ms", "ops_completed")
PARTS = ("run in slices", "followed event by event")


@contextmanager
def slices_times(factor: float) -> Iterator[None]:
    """Slices ``factor`` times as long as the model's own."""
    own = length.longest_ns
    with mock.patch.object(length, "longest_ns", lambda s, p: factor * own(s, p)):
        yield


def classes(scenarios: Columns, results: Columns) -> np.ndarray:
    """Classes (rows,) of the longest stays."""
    stays = zip(results["softirq_residency_max_ms"], scenarios["hz"], strict=True)
    return np.array([residency_class(float(ms), int(hz)) for ms, hz in stays])


def compare(scenarios: Columns, factors: list[float]) -> list[str]:
    """Two lines for each factor, of what the model runs in slices and of what it follows event by event: how many
    classes stay, and how far the callbacks' mean and the operations move."""
    own, followed = simulate(scenarios), run.run(scenarios)["delicate"]
    parts = {name: rows for name, rows in zip(PARTS, (~followed, followed), strict=True) if rows.any()}
    lines = []
    for factor in factors:
        with slices_times(factor):
            other = simulate(scenarios)
        same = classes(scenarios, own) == classes(scenarios, other)
        for part, rows in parts.items():
            moved = [f"{name} {median_change(own[name][rows], other[name][rows]):.1f} %" for name in FIGURES]
            lines.append(
                f"slices {factor:g} times as long: of rows {part}, "
                f"class the same in {same[rows].sum()} of {rows.sum()} "
                f"({100 * same[rows].mean():.1f} %, asked {100 * ASKED:.0f} %); "
                f"median change of {', of '.join(moved)}"
            )
    return lines


def median_change(own: np.ndarray, other: np.ndarray) -> float:
    """In percent of the larger one; 0 where both are 0."""
    return float(100 * np.median(np.abs(other - own) / np.maximum(np.maximum(own, other), 1e-12)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The model with shorter and longer slices")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--rows", type=int, default=None, help="this many lines of the file, evenly spread")
    parser.add_argument("--times", type=float, nargs="+", default=[0.5, 2.0], help="lengths; the model's own is 1")
    options = parser.parse_args(arguments)
    try:
        check_rows(options.rows)
        if not all(0 < factor < np.inf for factor in options.times):
            raise TruthError(f"--times: {options.times} was given; allowed are numbers above 0")
        cases = spread(read_cases(options.truth), options.rows)
    except TruthError as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    try:
        print("\n".join(compare(columns(cases), options.times)))
    except LeftToEventsError as left:
        sys.exit(str(left))


if __name__ == "__main__":
    main()
