"""Runs chunks: what one task does, and the executor that does it in this process.

An executor is a context manager that gives ``execute(tasks) -> iterator of Outcome``, in any order.
The other one is in ``sweep.ray_executor``; nothing here imports Ray.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sweep.chunks import rows_of
from workers.schema import Columns
from workers.task import ChunkReport

RunChunk = Callable[[Columns, str], ChunkReport]


@dataclass(frozen=True)
class Task:
    """Scenarios to run, the first one's row in the sweep, and the folder for their results."""

    columns: Columns
    first_row: int
    folder: str


@dataclass(frozen=True)
class FailedRow:
    """A scenario that raised: its row in the sweep, its id, and what it raised."""

    row: int
    id: str
    error: str


@dataclass(frozen=True)
class Outcome:
    """What came of a task: files written and scenarios that failed."""

    reports: tuple[ChunkReport, ...] = ()
    failed: tuple[FailedRow, ...] = ()

    @property
    def rows(self) -> int:
        """Scenarios dealt with."""
        return sum(report.rows for report in self.reports) + len(self.failed)


Execute = Callable[[Iterable[Task]], Iterator[Outcome]]


def attempt(task: Task, run_chunk: RunChunk) -> Outcome:
    """Runs a task; where it raises, halves it until the scenario at fault stands alone.

    A model error is a value here; trouble with the disk (OSError) is none of a scenario's and is raised.
    """
    path = Path(task.folder) / f"{task.first_row:012d}.parquet"
    try:
        return Outcome(reports=(run_chunk(task.columns, str(path)),))
    except OSError:
        raise
    except Exception as error:  # whatever a model raises is this scenario's result
        rows = len(task.columns["id"])
        if rows == 1:
            return Outcome(failed=(failed_row(task, 0, error),))
    half = rows // 2
    first = attempt(Task(rows_of(task.columns, range(half)), task.first_row, task.folder), run_chunk)
    second = attempt(Task(rows_of(task.columns, range(half, rows)), task.first_row + half, task.folder), run_chunk)
    return Outcome(first.reports + second.reports, first.failed + second.failed)


def failed_row(task: Task, row: int, error: BaseException) -> FailedRow:
    """Row ``row`` of the task as failed with ``error``."""
    text = " ".join(str(error).split())
    return FailedRow(task.first_row + row, str(task.columns["id"][row]), f"{type(error).__name__}: {text}"[:500])


@contextlib.contextmanager
def inline(run_chunk: RunChunk) -> Iterator[tuple[Execute, int]]:
    """One task after the other in this process; also says how many CPUs it uses: one."""
    yield lambda tasks: (attempt(task, run_chunk) for task in tasks), 1
