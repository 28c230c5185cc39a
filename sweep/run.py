"""One sweep from a configuration to its folder: expand, check, run, join, summarise, draw, report."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep import manifest, output
from sweep.aggregate import write_summary
from sweep.chunks import plan, rows_of
from sweep.config import Library, SweepConfig, given
from sweep.executor import Execute, FailedRow, RunChunk, Task, inline
from sweep.grid import expand, notes
from sweep.map import write_map
from sweep.policies import depot_columns
from sweep.progress import Progress
from sweep.summary_table import render
from workers.points import read_points
from workers.schema import Columns, ScenarioError
from workers.task import estimate_seconds, run_chunk

EXECUTORS = ("ray", "inline")
COMPLETE, FAILED_POINTS = 0, 1


def run(config: SweepConfig, library: Library, command: list[str], run_chunk: RunChunk = run_chunk) -> int:
    """Runs a sweep and prints its table; returns the exit code: 0 complete, 1 finished with failed points.

    ``command``: the command line, for the manifest; ``run_chunk``: what runs a chunk. Raises ScenarioError, before
    anything is written, for bad input. Interrupted, it leaves a manifest that says so.
    """
    clock = Clock()
    if config.executor not in EXECUTORS:
        raise ScenarioError(f"executor: {config.executor!r} was given; allowed are {', '.join(EXECUTORS)}")
    columns = scenarios(config, library)
    name = config.grid.name if config.points is None else re.sub(r"[^\w-]", "_", Path(config.points).stem)
    folder = output.folder_of(config.output, name)
    key = output.sweep_key(columns)
    output.refuse_foreign(folder, key)
    clock.lap("expand")
    with _executor(config, run_chunk) as (execute, cpus):
        clock.lap("start")
        record: dict[str, Any] = {
            "sweep_key": key,
            "state": "running",
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "config": _said(config),
            "notes": notes(config.grid),
            "policies": {name: dict(library.depot[name]) for name in sorted(set(columns["policy"]))},
            "scenarios": len(columns["id"]),
            "seeds": manifest.seeds(columns),
            "versions": manifest.versions(),
            "host": manifest.host(),
            "executor": {"kind": config.executor, "cpus": cpus},
        }
        with _folder(folder, record):
            chunks = plan(estimate_seconds(columns), cpus)
            print(f"{len(columns['id'])} scenarios, {len(chunks)} chunks, {cpus} CPUs", file=sys.stderr)
            failed, model_s = _run_tasks(execute, columns, chunks, folder)
            clock.lap("run")
            record |= {"failed": [dataclasses.asdict(row) for row in failed]}
            results = output.join_chunks(folder)
            if len(failed) < len(columns["id"]):
                write_summary(results, folder)
                write_map(results, folder / "map.svg")
                print(render(results))
            clock.lap("report")
            record |= {"durations_s": {**clock.laps, "model": round(model_s, 3), "total": clock.total()}}
    _close(folder, failed)
    return FAILED_POINTS if failed else COMPLETE


def scenarios(config: SweepConfig, library: Library) -> Columns:
    """Scenario and depot columns of every row, shapes (rows,); raises ScenarioError."""
    if config.points is not None:
        rows = read_points(config.points)
    else:
        rows = expand(config.grid, given(config.host), given(config.workload), library)
    return rows | depot_columns(rows, library.depot)


def _said(config: SweepConfig) -> dict[str, Any]:
    """What the configuration says about this sweep: nothing of grid, host and workload where points say it all."""
    unused = () if config.points is None else ("grid", "host", "workload")
    return {key: _set(value) for key, value in dataclasses.asdict(config).items() if key not in unused}


def _set(value: Any) -> Any:
    return {key: _set(v) for key, v in value.items() if v is not None} if isinstance(value, dict) else value


def _executor(config: SweepConfig, run_chunk: RunChunk) -> contextlib.AbstractContextManager[tuple[Execute, int]]:
    if config.executor == "inline":
        return inline(run_chunk)
    from sweep.ray_executor import on_ray  # so that an inline run never imports Ray

    return on_ray(config.cluster, run_chunk)


@contextlib.contextmanager
def _folder(folder: Path, record: dict[str, Any]) -> Iterator[None]:
    """The sweep's folder with its manifest, which says at the end how it ended; chunk files are gone then."""
    try:
        shutil.rmtree(folder / output.CHUNKS, ignore_errors=True)  # of a run that was killed
        (folder / output.CHUNKS).mkdir(parents=True)
        manifest.write(folder, record)
    except OSError as error:
        raise ScenarioError(f"output: {folder} cannot be written ({error.strerror})") from None
    try:
        yield
        record["state"] = "failed points" if record["failed"] else "complete"
    except OSError as error:
        record["state"] = "stopped by an error"
        raise ScenarioError(f"output: {folder} cannot be written ({error.strerror or error})") from None
    except BaseException as error:
        record["state"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped by an error"
        raise
    finally:
        shutil.rmtree(folder / output.CHUNKS, ignore_errors=True)
        with contextlib.suppress(OSError):  # a full disk: what stopped the sweep is being told already
            manifest.write(folder, record)


def _run_tasks(execute: Execute, columns: Columns, chunks: list[range], folder: Path) -> tuple[list[FailedRow], float]:
    """Runs every chunk; the scenarios that failed, by row, and the seconds all tasks took together."""
    progress = Progress(len(columns["id"]), sys.stderr)
    failed: list[FailedRow] = []
    model_s = 0.0
    tasks = (Task(rows_of(columns, rows), rows.start, str(folder / output.CHUNKS)) for rows in chunks)
    for outcome in execute(tasks):
        failed += outcome.failed
        model_s += sum(report.seconds for report in outcome.reports)
        progress.add(outcome.rows, len(outcome.failed))
    progress.close()
    return sorted(failed, key=lambda row: row.row), model_s


def _close(folder: Path, failed: list[FailedRow]) -> None:
    for row in failed[:10]:
        print(f"failed: {row.id} (row {row.row + 1}): {row.error}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} scenarios failed and are not in the table; {output.MANIFEST} names them", file=sys.stderr)
    shown = folder / "map.svg" if (folder / "map.svg").exists() else folder
    with contextlib.suppress(ValueError):  # another drive has no relative path
        shown = min(Path(os.path.relpath(shown)), shown, key=lambda path: len(str(path)))
    print(f"\n{'map' if shown.name == 'map.svg' else 'results'}: {shown}")


class Clock:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The stage ends here."""
        now = time.perf_counter()
        self.laps[stage], self.last = round(now - self.last, 3), now

    def total(self) -> float:
        """Seconds since the beginning."""
        return round(time.perf_counter() - self.started, 3)
