"""One sweep from a configuration to its folder: plan, look up, run, join, summarise, report."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sweep import manifest, output
from sweep.aggregate import summarize
from sweep.baseline.gate import open_gate
from sweep.command import COMPLETE, FAILED_POINTS, MOST_FAILURES
from sweep.config import Library, SweepConfig, given
from sweep.document.text import one_line
from sweep.execution.executor import check_executor, executor
from sweep.execution.task import Execute, Simulate
from sweep.execution.work import Tally, compute, missing, will_run
from sweep.pairs import aside
from sweep.plan import Plan, TablePlan, windows
from sweep.plan.grid import expand, notes
from sweep.plan.silenced import refuse_silenced
from sweep.progress import Progress
from sweep.report.answers.words import count
from sweep.report.figures.overview import overview
from sweep.report.inputs import Results, open_results
from sweep.report.page import FIGURES, PAGE, document, figures, write_report
from sweep.report.view import view_of
from sweep.results import Joined, despite_losses, write_results
from sweep.rounds import Everything, Refined, strategy
from sweep.status import begin, refuse_running
from sweep.storage import Storage, open_storage
from sweep.storage.names import is_remote
from sweep.store import Store
from sweep.store.compact import compact
from sweep.store.why import MOST_ROWS as MOST_EXPLAINED
from sweep.store.why import explain, remember
from sweep.summary_table import table
from workers.points import read_points
from workers.schema import ScenarioError
from workers.task import simulate

MOVED = 3

MOST_SEEDS = 1000
"""Distinct seeds that the manifest names."""


def run(config: SweepConfig, library: Library, command: list[str], simulate: Simulate = simulate) -> int:
    """Runs a sweep and prints its table; returns the exit code: 0 complete, 1 finished with failed points, 3 moved.

    ``command``: the command line, for the manifest; ``simulate``: the model. Raises ScenarioError, before anything is
    written, for bad input. However it is interrupted, the next start goes on from what the store holds.
    """
    clock = Clock()
    check_executor(config.executor)
    plan = plan_of(config, library)
    chosen = strategy(config.mode, plan)
    name = name_of(config)
    folder, store = places(config, name, plan)
    gate = open_gate(config, name, plan, library)
    refuse_running(folder)
    clock.lap("plan")
    to_run, told = _look_up(plan, store, name, config.mode)
    clock.lap("look_up")
    reported = False
    in_process = config.executor == "inline" or not to_run
    with executor(in_process, config.cluster, simulate, store.storage) as (execute, cpus):
        clock.lap("start")
        ready = time.time()
        if not config.quiet:
            print("\n".join(told), file=sys.stderr)
        record = _record(config, library, command, plan, store, cpus)
        progress = Progress(None if config.quiet else sys.stderr)
        with _folder(folder, record, progress):
            tally, joined = _complete(plan, chosen, store, folder, execute, cpus, progress, clock)
            record |= {"failed": joined.failed, "first_failed": joined.failures, "reused": progress.reused}
            record |= {"tasks": tally.summary(ready, cpus)} | tally.forecast(cpus) | chosen.record()
            _tidy(store, joined, lambda: remember(store.storage, name, folder, record["policies"]))
            clock.lap("tidy")
            store.close()  # the report needs the memory of ten million keys
            manifest.write(folder, record)  # where the report, now or made again, finds what it says of the run
            results = open_results(folder)
            summary = _summarized(results, folder)
            print("" if config.quiet else f"{summary}{chosen.told()}\n\n", end="")
            reported = config.report and _reported(results, folder)
            clock.lap("report")
            holds, said = gate.close(folder, command)
            print(f"{said}\n\n" if said and not (config.quiet and holds) else "", end="")
            record |= {"durations_s": {**clock.laps, "model": round(tally.model_s, 3), "total": clock.total()}}
    _close(folder, joined, reported)
    return MOVED if not holds else FAILED_POINTS if joined.failed else COMPLETE


def _record(
    config: SweepConfig, library: Library, command: list[str], plan: Plan, store: Store, cpus: int
) -> dict[str, Any]:
    """The manifest as the sweep begins."""
    return {
        "sweep_key": plan.digest(),
        "state": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "config": _said(config),
        "notes": notes(config.grid),
        "policies": {name: dict(library.depot[name]) for name in plan.distinct("policy")},
        "scenarios": len(plan),
        "store": store.storage.url,
        "seeds": plan.distinct("seed")[:MOST_SEEDS],
        "versions": manifest.versions(),
        "host": manifest.host(),
        "executor": {"kind": config.executor, "cpus": cpus},
    }


def plan_of(config: SweepConfig, library: Library) -> Plan:
    """The scenarios to run, checked; raises ScenarioError."""
    if config.points is not None:
        points = read_points(config.points)
        for row in np.flatnonzero(~np.isin(points["policy"].astype(str), list(library.depot)))[:1]:
            allowed, policy = ", ".join(sorted(library.depot)), points["policy"][row]
            raise ScenarioError(
                f"points: {config.points}: policy: {policy!r} was given; allowed are {allowed} (row {row + 1})"
            )
        return TablePlan(points, library.depot)
    refuse_silenced("workload", given(config.workload), config.grid)
    return expand(config.grid, given(config.host), given(config.workload), library)


def name_of(config: SweepConfig) -> str:
    """What a sweep is called: by its grid or its points file."""
    return config.grid.name if config.points is None else output.name_of(config.points)


def places(config: SweepConfig, name: str, plan: Plan) -> tuple[Storage, Store]:
    """The sweep's folder and the store; raises ScenarioError where one of them cannot be used."""
    folder = output.folder_of(config.output, name)
    opened = open_storage(folder, "output")
    store = open_storage(output.store_of(config.store, folder), "store")
    output.refuse_nested(opened, store, config.store is not None)
    output.refuse_foreign(opened, plan.digest())
    return opened, Store(store)


def _look_up(plan: Plan, store: Store, name: str, mode: str) -> tuple[int, list[str]]:
    """Loads the store; how many scenarios of the plan are to run (refined: at most), and what to tell of that."""
    told = store.told(store.load())
    to_run, why = len(plan), ""
    if len(store.index) or len(plan) <= MOST_EXPLAINED:  # else ten million scenarios would be looked up for nothing
        ahead = missing if mode == "refine" else will_run
        absent = np.concatenate(list(ahead(plan, windows(len(plan)), store)))
        to_run, why = len(absent), explain(store.storage, name, plan, absent)
    if mode == "refine":
        known = f"{len(plan) - to_run:,} of {count(len(plan), 'cell')}"
        return to_run, [*told, f"{known} in the store; of the others some are run"]
    reasons = f" ({why})" if why else ""
    return to_run, [*told, f"{len(plan) - to_run:,} of {count(len(plan), 'point')} re-used, {to_run:,} to run{reasons}"]


def _complete(
    plan: Plan,
    chosen: Everything | Refined,
    store: Store,
    folder: Storage,
    execute: Execute,
    cpus: int,
    progress: Progress,
    clock: Clock,
) -> tuple[Tally, Joined]:
    """Runs what is missing and joins the table; again, where a chunk got lost on the way."""
    tally = Tally()

    def begun() -> Joined:
        for batches in chosen.rounds(store, progress):
            compute(plan, batches, store, execute, cpus, progress, tally)
        clock.lap("run")
        return write_results(plan, store, folder, chosen.answer())

    joined = despite_losses(store, begun)
    clock.lap("join")
    progress.found(joined.locked, joined.failed)
    progress.close()
    return tally, joined


def _said(config: SweepConfig) -> dict[str, Any]:
    """What the configuration says about this sweep: nothing of grid, host and workload where points say it all."""
    unused = () if config.points is None else ("grid", "host", "workload")
    return {key: _set(value) for key, value in dataclasses.asdict(config).items() if key not in unused}


def _set(value: Any) -> Any:
    return {key: _set(v) for key, v in value.items() if v is not None} if isinstance(value, dict) else value


def _summarized(results: Results, folder: Storage) -> str:
    """Writes summary and map into the folder; returns the closing table as text."""
    with aside(results.table) as paired:
        summary = summarize(results.table, paired)
    parquet = io.BytesIO()
    summary.write_parquet(parquet)
    folder.write("summary.parquet", parquet.getvalue())
    folder.write("summary.csv", summary.write_csv().encode())
    folder.write("map.svg", overview(view_of(results)).encode())
    return table(view_of(results))


def _reported(results: Results, folder: Storage) -> bool:
    """Writes the report; whether that went well: not being able to costs nobody a result."""
    try:
        said = document(results)
        write_report(said, folder)
        made = {f"{FIGURES}/{figure.name}.svg" for figure in figures(said)}
        for name, _ in folder.names(f"{FIGURES}/"):
            if name not in made:  # of an earlier run into this folder, where fewer failed
                folder.delete(name)
        return True
    except Exception as error:  # a mistake in the report is none of the sweep's
        reason = one_line(f"{type(error).__name__}: {error}")
        print(f"report: could not be written ({reason}); python -m sweep.report makes it again", file=sys.stderr)
        return False


@contextlib.contextmanager
def _folder(folder: Storage, record: dict[str, Any], progress: Progress) -> Iterator[None]:
    """The sweep's folder with its manifest, which says at the end how it ended, and its status meanwhile."""
    heart = begin(folder, record["sweep_key"], progress.snapshot)
    try:
        manifest.write(folder, record)
        yield
        record["state"] = "failed points" if record["failed"] else "complete"
    except BrokenPipeError:  # of what is printed
        record["state"] = "interrupted"
        raise
    except OSError as error:
        record["state"] = "stopped by an error"
        raise ScenarioError(f"output: {folder.url} cannot be written ({error.strerror or error})") from None
    except BaseException as error:
        record["state"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped by an error"
        raise
    finally:
        with contextlib.suppress(OSError):  # a full disk: what stopped the sweep is being told already
            manifest.write(folder, record)
        heart.stop(record["state"])


def _tidy(store: Store, joined: Joined, remember: Callable[[], None]) -> None:
    """Leaves the store with few files and a note of this sweep; not being able to costs nobody a result."""
    try:
        remember()
        compact(store, joined.chunks)
        store.storage.clear_parts()
    except OSError as error:
        print(f"store: {store.storage.url} could not be tidied ({error.strerror or error})", file=sys.stderr)


def _close(folder: Storage, joined: Joined, reported: bool) -> None:
    for row in joined.failures[:MOST_FAILURES]:
        print(one_line(f"failed: {row['id']} (row {row['row'] + 1}): {row['error']}"), file=sys.stderr)
    if joined.failed:
        print(f"{count(joined.failed, 'scenario')} failed; the table holds them with status=failed", file=sys.stderr)
    print(f"report: {_shown(folder, PAGE)}" if reported else f"results: {_shown(folder, '')}")


def _shown(folder: Storage, name: str) -> str:
    """Where a file of the folder is (or the folder): a URL, or the shorter of the paths from here and from the root."""
    if is_remote(folder.url):
        return f"{folder.url}/{name}".rstrip("/")
    path = str(Path(folder.url, name))
    with contextlib.suppress(ValueError, OSError):  # another drive, or a current folder that is gone
        return min(os.path.relpath(path), path, key=len)
    return path


class Clock:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The stage ends here; of one that comes twice, the sum."""
        now = time.perf_counter()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self.last, 3)
        self.last = now

    def total(self) -> float:
        """Seconds since the beginning."""
        return round(time.perf_counter() - self.started, 3)
