"""How fast the vectorized model is: over a truth file and a grid, against the reference machine and the scalar twin.

    python benchmarks/model_speed.py TRUTH.jsonl [--parts PART ..] [--stress] [--horizon S] [--machine DIR]

TRUTH is described in benchmarks/truth.py; a scenario under a policy is one row. Seconds are CPU time of a core. Virtual
time counts up to the horizon, though the model ends early where a lane is steady: the share simulated is printed. DIR
holds the machine's programs, vsim-5.15 (array) and vsim-5.15fix (list). Machine and twin take turns with the model on a
few rows; other seeds of the same rows fill the model's batch. Without --parts only the truth file's sample is run.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.hot_lines import hottest, sampled
from benchmarks.rivals import PROGRAMS, machine_seconds, median_scenario, twin_seconds
from benchmarks.timed import filled, model
from benchmarks.truth import Case, TruthError, chains, columns, read_cases, spread
from sweep.compose import compose
from sweep.run import plan_of
from workers import task
from workers.reference.policies import depot_columns
from workers.schema import Columns, ScenarioError, check_value, column
from workers.slices import run
from workers.tables import complete_row, to_columns

PARTS = ("truth", "grid", "machine", "twin", "cpus", "lanes", "memory")
ASKED_GRID, ASKED_STRESS, ASKED_MACHINE, ASKED_TWIN = 1_500.0, 500.0, 100.0, 3_000.0
HOT = 10
LOAD = {"iova_pages": "8", "unmap_burst": 64, "burst_period_us": 4_000.0, "in_flight": 256}
"""What the machines of ``cpus`` and ``lanes`` do: 16,000 unmaps/s a CPU."""

CPUS, LANES_A_MACHINE, CPUS_HORIZON_S = (8, 16, 32, 64, 128, 256, 512), 32, 0.5
LANES, CPUS_A_LANE, LANES_HORIZON_S = (64, 256, 512, 1024), 16, 0.25
MEMORY_HORIZON_S = 0.1  # a batch's arrays are as large from the start; only finished callbacks are added


def compared(name: str, found: float, asked: float | None, unit: str) -> str:
    """A figure beside what is asked for, if anything is."""
    target = "" if asked is None else f", asked {asked:,.0f}{'' if found >= asked else '  missed'}"
    return f"{name:40s} {found:8,.2f} {unit}{target}"


def sample(name: str, table: Columns, asked: float | None) -> None:
    """Prints the model's speed over the table's rows, and its hottest lines there."""
    with sampled() as found:
        took = model(table)
    print(f"{name}: {took.text}")
    print(compared(name, took.rate, asked, "scenario-seconds/s"))
    print("hottest lines, share of the samples:")
    print("\n".join(f"  {line}" for line in hottest(found, HOT)) + "\n", flush=True)


def truth_cases(options: argparse.Namespace) -> list[Case]:
    """The sample of the truth file, with the horizon asked for (what the file counted is then gone)."""
    cases = read_cases(options.truth)
    cases = spread([case for case in cases if chains(case)] if options.stress else cases, options.rows)
    if not cases:
        raise TruthError(f"--stress: {options.truth} holds no row that chains")
    if options.horizon is None:
        return cases
    horizon = {"horizon_s": check_value(column("horizon_s"), options.horizon)}
    return [Case(case.scenario | horizon, case.policy, [{}]) for case in cases]


def grid_rows(options: argparse.Namespace) -> Columns:
    """A random sample of the grid's scenarios, as the farm hands them to the model; shapes (points,)."""
    composed = compose([f"+grid={options.grid}"])
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    if options.points > len(plan):
        raise TruthError(f"--points: {options.points} was given; grid {options.grid} has {len(plan)} scenarios")
    numbers = np.random.default_rng(options.seed).choice(len(plan), options.points, replace=False)
    rows = plan.rows(np.sort(numbers))
    return rows if options.horizon is None else rows | {"horizon_s": np.full(options.points, options.horizon)}


def paired(name: str, seconds: Callable[[Case], float], cases: list[Case], options: argparse.Namespace) -> float:
    """Prints the model beside another, whose CPU ``seconds`` of a case are given; the median ratio of the rounds."""
    batch, virtual_s = filled(columns(cases), options.lanes), sum(case.scenario["horizon_s"] for case in cases)
    rounds = [(model(batch), sum(seconds(case) for case in cases)) for _ in range(options.rounds)]
    other_s, cpu_s = median(spent for _, spent in rounds), median(took.cpu_s for took, _ in rounds)
    ratios = sorted(spent / virtual_s * took.rate for took, spent in rounds)
    rate = f"{virtual_s / other_s:,.2f} a second"
    print(f"{name}: {len(cases)} rows, {virtual_s:,.1f} scenario-seconds, in {other_s:.1f} s: {rate}")
    print(f"the model beside it: {rounds[0][0]._replace(cpu_s=cpu_s).text}")
    print(f"medians of {len(rounds)} rounds, ratios {ratios[0]:,.2f} to {ratios[-1]:,.2f}")
    return median(ratios)


def load(cpus: int, horizon_s: float, lanes: int) -> Columns:
    """LOAD on so many CPUs, with ``lanes`` seeds."""
    row = to_columns([complete_row(LOAD | {"cpus": cpus, "horizon_s": horizon_s, "policy": "list"})])
    return filled(row | depot_columns(row), lanes)


def by_cpus() -> None:
    """Prints what a scenario costs against its CPUs."""
    print(f"CPUs, of {LANES_A_MACHINE} lanes and {CPUS_HORIZON_S:g} s: ms a scenario, ms a CPU, share simulated")
    for cpus in CPUS:
        took = model(load(cpus, CPUS_HORIZON_S, LANES_A_MACHINE))
        ms = 1e3 * took.cpu_s / took.rows
        print(f"{cpus:6d} {ms:8.1f} {ms / cpus:8.2f} {100 * took.simulated:6.0f} %", flush=True)
    print()


def by_lanes() -> None:
    """Prints what a scenario costs against the lanes of its batch, which are the model's choice elsewhere."""
    print(f"lanes of a batch, of {CPUS_A_LANE} CPUs and {LANES_HORIZON_S:g} s: ms a scenario")
    for lanes in LANES:
        with mock.patch.object(run, "WIDTH", lanes):
            took = model(load(CPUS_A_LANE, LANES_HORIZON_S, lanes))
        print(f"{lanes:6d} {1e3 * took.cpu_s / took.rows:8.1f}", flush=True)
    print()


def resident_mib(table: Columns) -> tuple[float, float]:
    """Resident memory of this process before a run of the table's rows, and the most during it (Linux). ru_maxrss would
    not do: it begins with the parent's."""
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is forgotten
    before = _status_mib("VmRSS")
    task.simulate(table)
    return before, _status_mib("VmHWM")


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def memory(options: argparse.Namespace) -> None:
    """Prints the peak memory of one batch of the grid's rows, in a process of its own."""
    table = grid_rows(options)
    table["horizon_s"] = np.minimum(table["horizon_s"], MEMORY_HORIZON_S)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        idle, peak = pool.submit(resident_mib, table).result()
    grown, rows = peak - idle, int(table["active_cpus"].sum())
    each = f"{1024 * grown / rows:.1f} KiB each"
    print(f"memory of a batch of {options.points} lanes, {rows:,} CPUs: {grown:.0f} MiB above {idle:.0f} MiB, {each}\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast the vectorized model is")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["truth"], help="what to measure; default: truth")
    parser.add_argument("--rows", type=int, default=16, help="this many scenarios of the file, evenly spread")
    parser.add_argument("--stress", action="store_true", help="only rows of the file that chain")
    parser.add_argument("--horizon", type=float, help="virtual seconds, in place of the file's and the grid's")
    parser.add_argument("--grid", default="large")
    parser.add_argument("--points", type=int, default=96, help="this many scenarios of the grid, at random")
    parser.add_argument("--seed", type=int, default=0, help="of that choice")
    parser.add_argument("--machine", type=Path, help="folder of the machine's programs; adds part machine")
    parser.add_argument("--pairs", type=int, default=4, help="scenarios of the sample that the machine runs")
    parser.add_argument("--lanes", type=int, default=96, help="of the model beside the machine and the twin")
    parser.add_argument("--rounds", type=int, default=1, help="in which the model takes turns with them")
    options = parser.parse_args(arguments)
    for name, least in (("rows", 1), ("points", 1), ("seed", 0), ("pairs", 1), ("lanes", 1), ("rounds", 1)):
        if getattr(options, name) < least:
            rule = f"allowed are whole numbers from {least}"
            raise TruthError(f"--{name}: {getattr(options, name)} was given; {rule}")
    if options.machine is None and "machine" in options.parts:
        raise TruthError("--machine: missing; part machine needs the folder of its programs")
    if options.machine is not None:
        options.parts = [*options.parts, "machine"]
        for program in PROGRAMS.values():
            if not (options.machine / program).is_file():
                raise TruthError(f"--machine: {options.machine} was given; it holds no {program}")
    if options.horizon is not None:
        check_value(column("horizon_s"), options.horizon)
    return options


def measure(options: argparse.Namespace) -> None:
    """Prints the parts asked for."""
    cases, parts = truth_cases(options), options.parts
    if "truth" in parts:
        name = f"{options.truth.name}{', chained' if options.stress else ''}"
        sample(name, columns(cases), ASKED_STRESS if options.stress else None)
    if "grid" in parts:
        sample(f"grid={options.grid}", grid_rows(options), ASKED_GRID if options.grid == "large" else None)
    if "machine" in parts:
        known = spread([case for case in cases if case.policy in PROGRAMS], options.pairs)
        if not known:
            raise TruthError(f"--machine: {options.truth} holds no row under {' or '.join(PROGRAMS)}")
        ratio = paired("reference machine", functools.partial(machine_seconds, options.machine), known, options)
        print(compared("reference machine / model", ratio, ASKED_MACHINE, "times as long") + "\n", flush=True)
    if "twin" in parts:
        ratio = paired("scalar twin", twin_seconds, median_scenario(cases), options)
        print(compared("scalar twin / model", ratio, ASKED_TWIN, "times as long") + "\n", flush=True)
    for part, run_part in (("cpus", by_cpus), ("lanes", by_lanes)):
        if part in parts:
            run_part()
    if "memory" in parts:
        memory(options)


def main(arguments: list[str] | None = None) -> None:
    try:
        measure(_options(arguments))
    except (TruthError, ScenarioError) as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
