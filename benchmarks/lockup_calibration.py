"""Predicted soft lockups against long runs of the reference machine: a reliability table, and the longest stays.

    python benchmarks/lockup_calibration.py LONG.jsonl [--horizon-s 3]

LONG holds a line a scenario, as in benchmarks/truth.py but one row of figures a policy, of runs over the scenario's
``horizon_s``; a row that reached a stay of 20 s was stopped there (``stopped_at_s``) and counts as at least that. The
model's horizon is ``--horizon-s``, and it states probabilities over the long run's.
tests/data/long_rows.jsonl is such a file.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.truth import POLICIES, TruthError
from workers import results
from workers.hazard import LOCKUP_S, Stays, longest_stay_s
from workers.reference.policies import depot_columns
from workers.schema import ScenarioError
from workers.tables import complete_row, to_columns
from workers.task import count

BINS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
LEAST_STAY_S = 1.0
FACTOR = 2.0
STOPPED_S = LOCKUP_S - 0.1  # a run stops at the end of the callback that reaches the limit


class LongRun(NamedTuple):
    """A scenario, all columns filled in, its longest stay on the reference machine in s, and whether it was stopped."""

    scenario: dict[str, Any]
    longest_s: float
    locked: bool


def read_runs(path: Path) -> list[LongRun]:
    """The runs of a file, one a policy and line. Raises TruthError."""
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [_run(row, name) for row in rows for name in POLICIES if name in row]
    except (OSError, ValueError, LookupError, TypeError, ScenarioError) as error:
        raise TruthError(f"{path}: not a file of long runs ({error.__class__.__name__}: {error})") from None


def _run(row: dict[str, Any], policy: str) -> LongRun:
    longest_s = row[policy]["softirq_residency_max_ms"] / 1e3
    return LongRun(complete_row(row["scenario"] | {"policy": policy}), longest_s, longest_s >= STOPPED_S)


def predict(runs: list[LongRun], horizon_s: float) -> tuple[np.ndarray, np.ndarray]:
    """For each run the model's probability of a soft lockup and its expected longest stay in s, shapes (runs,)."""
    table = to_columns([r.scenario for r in runs])
    table["exposure_s"] = table["horizon_s"]
    table |= depot_columns(table) | {"horizon_s": np.full(len(runs), horizon_s)}
    counted = count(table)
    probability = results.finish(counted, table)["soft_lockup_probability"]
    stays = results.long_stays(counted)
    longest_s = np.zeros(len(runs))
    for exposure_s in np.unique(table["exposure_s"]):
        rows = table["exposure_s"] == exposure_s
        longest_s[rows] = longest_stay_s(Stays(*(values[rows] for values in stays)), exposure_s)
    return probability, np.maximum.reduce([longest_s, counted["softirq_residency_max_ms"] / 1e3, stays.unfinished_s])


def report(runs: list[LongRun], probability: np.ndarray, expected_s: np.ndarray) -> str:
    """The reliability table, and how often the expected longest stay is within FACTOR of the real one."""
    locked, real_s = np.array([r.locked for r in runs]), np.array([r.longest_s for r in runs])
    lines = ["predicted    runs  mean predicted  locked up"]
    for low, high in pairwise(BINS):
        rows = (probability >= low) & ((probability < high) | (high == BINS[-1]))
        if rows.any():
            shares = f"{probability[rows].mean():14.2f}  {locked[rows].mean():9.2f}"
            lines.append(f"{low:4.2f}..{high:4.2f} {rows.sum():6d}  {shares}")
    brier, base = np.mean((probability - locked) ** 2), locked.mean() * (1 - locked.mean())
    lines.append(f"all        {len(runs):6d}  {probability.mean():14.2f}  {locked.mean():9.2f}")
    lines.append(f"Brier score {brier:.3f}; {base:.3f} for the same probability everywhere")
    rows = real_s >= LEAST_STAY_S
    capped_s, capped_real_s = np.minimum(expected_s[rows], LOCKUP_S), np.minimum(real_s[rows], LOCKUP_S)
    near = (capped_s <= FACTOR * capped_real_s) & (capped_s >= capped_real_s / FACTOR)
    lines.append(f"expected longest stay within a factor {FACTOR:g}, of runs with a stay of {LEAST_STAY_S:g} s: ")
    lines[-1] += f"{near.sum()} of {rows.sum()}, asked 80 %"
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Predicted soft lockups against long runs of the reference machine")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--horizon-s", type=float, default=3.0, help="the model's horizon")
    options = parser.parse_args(arguments)
    try:
        runs = read_runs(options.runs)
    except TruthError as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    print(report(runs, *predict(runs, options.horizon_s)))


if __name__ == "__main__":
    main()
