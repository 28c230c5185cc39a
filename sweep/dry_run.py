"""``dry_run=true``: what a sweep would take, from its plan, the store, and a short calibration. Writes nothing.

The calibration runs some of the scenarios that are missing, from cheap to dear in the plan's own proportions, or the
beginning of each, and corrects ``workers.task.estimate_seconds`` by what they took; bytes a row and memory are measured
on them.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from sweep.config import ClusterConfig, Library, SweepConfig
from sweep.execution.chunks import cut
from sweep.execution.executor import check_executor
from sweep.execution.task import Simulate, attempt
from sweep.execution.work import first_unknown
from sweep.plan import WINDOW_ROWS, Plan, windows
from sweep.progress import duration
from sweep.report.answers.words import count as counted
from sweep.results import SCENARIO
from sweep.rounds import strategy
from sweep.run import name_of, places, plan_of
from sweep.store import Store
from sweep.store.chunk import encode, table
from sweep.store.index import Index
from sweep.store.keys import scenario_keys
from workers.delicate import followed
from workers.schema import Columns
from workers.task import estimate_seconds, simulate

SAMPLE_ROWS = 128
"""Scenarios of a calibration, run as one batch: fewer would cost more a scenario than those of a chunk do."""

SAMPLE_S = 20.0
"""A calibration that is estimated to take longer runs a part of each horizon, and of dear plans fewer rows."""

LEAST_SHARE = 0.1
"""Of its horizon that each scenario of a calibration runs: one dear scenario says less than ten parts of others."""

MOST_WINDOWS = 32
"""Of a larger plan so many windows are looked at, in place of each: a million rows take seconds."""

LIKELY_ROWS = 4096
"""The sample is drawn from about so many, spread over the plan."""


@dataclass(frozen=True)
class ToRun:
    """What is to run: scenarios, others that are ``equal`` to these, chunks, their estimated seconds, and row numbers
    that stand for them, each for a ``share`` of its horizon; ``counted``: in every window, not in some of them."""

    rows: int
    equal: int
    chunks: int
    estimated_s: float
    sample: np.ndarray
    share: float
    counted: bool = True


@dataclass(frozen=True)
class Size:
    """Bytes of a Parquet file: those of each file, and those of each row."""

    file_bytes: float
    row_bytes: float

    def of(self, files: int, rows: int) -> float:
        """Bytes of so many files that hold so many rows."""
        return files * self.file_bytes + rows * self.row_bytes


@dataclass(frozen=True)
class Calibration:
    """Of a sample that was run: its seconds, and these over the estimate; sizes in store and table; the process."""

    rows: int
    seconds: float
    ratio: float
    chunk: Size
    table: Size
    peak_mib: float


def dry_run(config: SweepConfig, library: Library, simulate: Simulate = simulate) -> int:
    """Prints what the sweep would take; returns 0. Raises ScenarioError for what ``run`` would refuse."""
    check_executor(config.executor)
    plan = plan_of(config, library)
    strategy(config.mode, plan)
    _, store = places(config, name_of(config), plan)
    store.load(delete=False)
    cpus = cpus_of(config.cluster, config.executor == "inline")
    found = to_run(plan, store, cpus)
    measured = calibrate(plan, found, simulate)
    print("\n".join(lines(config, len(plan), found, measured, cpus)))
    return 0


def to_run(plan: Plan, store: Store, cpus: int) -> ToRun:
    """What the store does not hold of a plan, equal content once."""
    rows, equal, chunks, total_s, samples = 0, 0, 0, 0.0, []
    before = Index()
    looked_at, times = _some_windows(len(plan))
    one_of = max(1, round(len(plan) / times) // LIKELY_ROWS)
    for numbers in looked_at:
        columns = plan.rows(numbers)
        keys = scenario_keys(columns)
        if times > 1:  # these windows may have rows in common
            before = Index()
        missing = first_unknown(keys, store.index, before)
        equal += int(store.unknown(keys).sum()) - len(missing)
        columns = {name: values[missing] for name, values in columns.items()}
        seconds = estimate_seconds(columns)
        rows, total_s = rows + len(missing), total_s + float(seconds.sum())
        chunks += len(cut(seconds, followed(columns), cpus))
        random = np.random.default_rng(int(numbers[0]))
        some = np.sort(random.permutation(len(missing))[: -(-len(missing) // one_of)])
        samples.append((numbers[missing[some]], seconds[some]))
    drawn, seconds = (np.concatenate([sample[i] for sample in samples]) for i in (0, 1))
    if not rows:
        return ToRun(0, 0, 0, 0.0, drawn, 1.0, times == 1)
    whole = plan.rows(_stratified(drawn, seconds, SAMPLE_ROWS))  # few of them share a run, of the plan's scenarios more
    share = float(np.clip(SAMPLE_S / (SAMPLE_ROWS * estimate_seconds(whole).mean()), LEAST_SHARE, 1.0))
    each_s = float(estimate_seconds(_shortened(whole, share)).mean())
    sample = _stratified(drawn, seconds, SAMPLE_S / each_s)
    rows, equal, chunks = (round(count * times) for count in (rows, equal, chunks))
    return ToRun(rows, equal, chunks, total_s * times, sample, share, times == 1)


def _some_windows(rows: int) -> tuple[list[np.ndarray], float]:
    """Windows of a plan of ``rows``, all or MOST_WINDOWS, one at random in each part; how many times their rows it has.

    At random because the rows of a grid repeat in steps.
    """
    if rows <= MOST_WINDOWS * WINDOW_ROWS:
        return list(windows(rows)), 1.0
    edges = np.linspace(0, rows - WINDOW_ROWS, MOST_WINDOWS + 1)
    firsts = np.random.default_rng(0).uniform(edges[:-1], edges[1:]).astype(np.int64)
    return [np.arange(first, first + WINDOW_ROWS) for first in firsts], rows / (MOST_WINDOWS * WINDOW_ROWS)


def _stratified(numbers: np.ndarray, seconds: np.ndarray, most: float) -> np.ndarray:
    """``most`` numbers, within 1 and SAMPLE_ROWS, or all: evenly spaced when sorted by their cost."""
    rows = int(min(max(most, 1), SAMPLE_ROWS, len(numbers)))
    order = np.argsort(seconds, kind="stable")
    middle = (np.arange(rows) + 0.5) * len(numbers) / rows
    return np.sort(numbers[order[middle.astype(int)]])


def _shortened(scenarios: Columns, share: float) -> Columns:
    return scenarios | {"horizon_s": share * scenarios["horizon_s"]}


def calibrate(plan: Plan, found: ToRun, simulate: Simulate) -> Calibration | None:
    """Runs the sample of ``found``; None where there is nothing to run."""
    numbers = found.sample
    if not len(numbers):
        return None
    content = _shortened(plan.rows(numbers), found.share)
    started = time.perf_counter()
    done, results, errors = attempt({"id": plan.ids(numbers), **content}, simulate)
    seconds = time.perf_counter() - started
    chunk = table(scenario_keys(content), results, done, errors)
    scenarios = {name: list(content[name]) for name in SCENARIO if name != "id"}
    joined = pl.DataFrame({"id": list(plan.ids(numbers)), **scenarios}).hstack(chunk.drop("scenario_key"))
    return Calibration(
        len(numbers),
        seconds,
        seconds / max(float(estimate_seconds(content).sum()), 1e-9),
        _size(chunk),
        _size(joined),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _size(frame: pl.DataFrame) -> Size:
    """From the whole frame and its half: what does not halve is a file's."""
    half = frame.height // 2
    whole_bytes, half_bytes = len(encode(frame)), len(encode(frame.head(half)))
    row_bytes = max(whole_bytes - half_bytes, 0) / (frame.height - half)
    return Size(whole_bytes - row_bytes * frame.height, row_bytes)


def lines(config: SweepConfig, rows: int, found: ToRun, measured: Calibration | None, cpus: int) -> list[str]:
    """The estimate as text."""
    some = ", all of them at most: refined, it runs a part" if config.mode == "refine" else ""
    about = "" if found.counted else "about "
    equal = f", {about}{found.equal} equal to these" if found.equal else ""
    stored = rows - found.rows - found.equal
    said = [f"points       {rows} ({about}{stored} in the store, {about}{found.rows} to run{equal}{some})"]
    if measured is None:
        return [*said, "nothing is left to run" if found.counted else "nothing of what was looked at is left to run"]
    core_s = found.estimated_s * measured.ratio
    store_mib, table_mib = measured.chunk.of(found.chunks, found.rows) / 2**20, measured.table.of(1, rows) / 2**20
    return [
        *said,
        f"chunks       {found.chunks}",
        f"core-hours   {core_s / 3600:.3g}",
        f"wall time    {duration(core_s / cpus)} on {counted(cpus, 'CPU')}",
        f"memory       {measured.peak_mib:.0f} MiB a worker, {cpus * measured.peak_mib / 1024:.1f} GiB in all",
        f"disk         {store_mib + table_mib:.3g} MiB: store {store_mib:.3g}, table {table_mib:.3g}",
        f"calibration  {measured.rows} scenarios in {measured.seconds:.1f} s,"
        f" {measured.ratio:.2f} of the model's own estimate",
    ]


def cpus_of(cluster: ClusterConfig, in_process: bool) -> int:
    """CPUs that ``sweep.execution.executor`` would run on; only a cluster that runs is asked. Raises ScenarioError."""
    if in_process:
        return 1
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        there = len(os.sched_getaffinity(0))
        return min(there, cluster.cpus or there)
    from sweep.execution.ray_executor import on_ray

    with on_ray(cluster, simulate) as (_, cpus):
        return cpus
