"""The scalar twin against the reference machine, scenario by scenario.

    python benchmarks/twin_agreement.py TRUTH.jsonl [--cpus 64] [--rows N] [--jobs 2]

TRUTH is described in benchmarks/truth.py. Each twin run uses the first seed and is compared with the range of both.
All rows of the truth file up to 64 CPUs are about 560 million operations: some 25 minutes of one core. --rows N takes
the N scenarios with the fewest operations.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.truth import Case, Row, TruthError, by_scenario, check_rows, columns, error, read_cases, residency_class
from workers.reference.machine import simulate

RESIDENCY = "softirq_residency_max_ms"
DECIMALS = {"irqs_off_max_ms": 4, RESIDENCY: 2, "rbtree_lock_wait_mean_us": 2}


def run_twin(case: Case) -> tuple[Row, float]:
    """The twin's counters of a case, and the seconds they took."""
    table = columns([case])
    row = {name: values.tolist()[0] for name, values in table.items()}
    started = time.process_time()
    return simulate(row, row), time.process_time() - started


def distance(name: str, twin: Row, truth: list[Row], offset: float = 0.0) -> float:
    """Relative distance of the twin's figure from the range of the seeds; 0 within it, or within its decimals."""
    figures = [row[name] - offset for row in truth]
    return abs(error(twin[name] - offset, figures, rounding(name, figures[0])))


def rounding(name: str, figure: float) -> float:
    """Half of the last decimal the truth file carries."""
    return 0.51 * 10.0 ** -DECIMALS.get(name, 1 if name.endswith("max_us") else 3) if isinstance(figure, float) else 0.0


def differing(twin: Row, first_seed: Row, policy: str) -> list[str]:
    """Columns that are not what the reference machine counted with the same seed."""
    apart = {"depot_surplus_largest_bin"} if policy == "array" else set()  # nothing is surplus in an array
    return [n for n, v in first_seed.items() if n not in apart and abs(twin[n] - v) > rounding(n, v)]


def share(values: Iterable[float], most: float) -> str:
    within = [value <= most for value in values]
    return f"{100 * sum(within) / len(within):.1f} % of {len(within)} within {100 * most:g} %" if within else "no rows"


def report(cases: list[tuple[Row, str, list[Row], Row]]) -> None:
    """Prints the comparison. ``cases``: those of the truth file, each with the twin's row at its end."""
    apart = [(s["id"], p, differing(twin, truth[0], p)) for s, p, truth, twin in cases]
    unequal = [case for case in apart if case[2]]
    print(f"rows equal to the same seed in every column: {len(cases) - len(unequal)} of {len(cases)}")
    for scenario_id, policy, names in unequal[:10]:
        print(f"  {scenario_id} {policy}: {', '.join(names[:6])}")
    wrong: dict[bool, int] = {True: 0, False: 0}
    for scenario, _, truth, twin in cases:
        classes = [residency_class(row[RESIDENCY], scenario["hz"]) for row in truth]
        interesting = len(set(classes)) == 1 and classes[0] > 0
        wrong[interesting] += residency_class(twin[RESIDENCY], scenario["hz"]) not in classes
    print(f"residency class wrong: {wrong[True]} where both seeds chain alike, {wrong[False]} elsewhere")

    def distances(name: str, policy_offset: int = 0, least: int = 0) -> list[float]:
        return [
            distance(name, twin, truth, policy_offset * s["cpus"])
            for s, _, truth, twin in cases
            if max(row[name] for row in truth) >= least
        ]

    for name in ("callback_mean_ms", "ops_completed"):
        found = distances(name)
        median, p90 = (100 * np.quantile(found, q) for q in (0.5, 0.9))
        print(f"{name}: median {median:.2f} %, p90 {p90:.2f} % off the seeds' range")
    off = [
        max(0.0, min(r[h] for r in truth) - twin[h], twin[h] - max(r[h] for r in truth))
        for h in ("rbtree_lock_held_fraction",)
        for _, _, truth, twin in cases
    ]
    print(f"rbtree_lock_held_fraction: {100 * np.mean(np.array(off) <= 0.005):.1f} % within 0.005")
    print(f"magazines_peak - 12 x cpus: {share(distances('magazines_peak', 12), 0.1)}")
    print(f"depot_magazines_peak: {share(distances('depot_magazines_peak'), 0.1)}")
    for name in ("rbtree_erases", "rbtree_walk_steps", "rbtree_inserts"):
        print(f"{name}: {share(distances(name), 0.15)}")


def pick(cases: list[Case], most_cpus: int, scenarios: int | None) -> list[list[Case]]:
    """Cases by scenario, up to ``most_cpus``; of no more than ``scenarios``, those that take the fewest operations."""
    groups = [[cases[i] for i in group] for group in by_scenario(cases)]
    small = [group for group in groups if group[0].scenario["cpus"] <= most_cpus]
    return sorted(small, key=lambda group: group[0].seeds[0]["ops_completed"])[:scenarios]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The scalar twin against the reference machine")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--cpus", type=int, default=64, help="largest machine")
    parser.add_argument("--rows", type=int, default=None, help="this many scenarios, those with the fewest operations")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        check_rows(options.rows)
        picked = pick(read_cases(options.truth), options.cpus, options.rows)
        if not picked:
            raise TruthError(f"--cpus: {options.cpus} was given; {options.truth} has no scenario of so few")
    except TruthError as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    cases = [case for group in picked for case in group]
    started = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(run_twin, reversed(cases)))[::-1]
    ops = sum(twin["ops_completed"] for twin, _ in runs)
    seconds = sum(spent for _, spent in runs)
    print(f"{len(picked)} scenarios, {len(runs)} rows, {ops:,} operations in {time.perf_counter() - started:.0f} s;")
    print(f"{ops / seconds:,.0f} operations a second a core")
    report([(*case, twin) for case, (twin, _) in zip(cases, runs, strict=True)])


if __name__ == "__main__":
    main()
