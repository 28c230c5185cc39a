"""What a worker does with its chunk: simulate, write the results to the store, hand back a small reference."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sweep.execution.core_speed import core_factor
from sweep.storage import Storage
from sweep.store import write_chunk
from sweep.store.chunk import table
from sweep.store.keys import to_hex
from workers import MODEL_VERSION
from workers.schema import LOCKED, Columns

Simulate = Callable[[Columns], Columns]
"""The model: scenario and depot columns of shape (rows,) to RESULT_COLUMNS of shape (rows,)."""

LONGEST_ERROR = 500


@dataclass(frozen=True)
class Task:
    """Scenarios to run: their content and keys, shapes (rows,), and where results go."""

    columns: Columns
    keys: np.ndarray
    storage: Storage

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: np.ndarray) -> Task:
        """Some rows of it, as a task."""
        return Task({name: values[rows] for name, values in self.columns.items()}, self.keys[rows], self.storage)

    def halves(self) -> tuple[Task, Task]:
        """Its first rows and its last, as two tasks."""
        first, last = np.split(np.arange(len(self)), [len(self) // 2])
        return self.take(first), self.take(last)

    @property
    def name(self) -> bytes:
        """What tells it from every other task of the sweep: its first key."""
        return self.keys[:1].tobytes()


@dataclass(frozen=True)
class Reference:
    """What a worker hands back: the chunk's name and rows, how many failed or lock up, what it took.

    ``model_s``: seconds in the model; ``started``, ``ended``: seconds since the epoch; ``peak_mib``: the most memory
    of the worker's process so far; ``core_factor``: ``sweep.execution.core_speed``'s, of the worker's core.
    """

    name: str
    rows: int
    failed: int
    lockups: int
    model_s: float
    started: float
    ended: float
    peak_mib: float
    core_factor: float


Execute = Callable[[Iterable[Task]], Iterator[tuple[Task, Reference]]]
"""An executor's: runs tasks, in any order."""


def run_task(task: Task, simulate: Simulate) -> Reference:
    """Runs a task and writes its chunk, a scenario that raised being a row of it; raises OSError for a bad disk."""
    factor, started = core_factor(), time.time()
    ids = np.array(to_hex(task.keys), object)  # not the users': equal content is run once, whatever they call it
    done, results, errors = attempt({"id": ids, **task.columns}, simulate)
    return _commit(task, done, results, errors, started, time.time() - started, factor)


def quarantine(task: Task, error: str) -> Reference:
    """Writes all rows of a task as failed, because no worker survives them; raises OSError."""
    return _commit(task, np.arange(0), {}, dict.fromkeys(range(len(task)), error), time.time(), 0.0, 1.0)


def attempt(columns: Columns, simulate: Simulate, first: int = 0) -> tuple[np.ndarray, Columns, dict[int, str]]:
    """Rows done (counted from ``first``), their results, and errors by row.

    Where the model raises, the rows are halved until the scenario at fault stands alone.
    """
    rows = len(columns["id"])
    try:
        return np.arange(first, first + rows), simulate(columns), {}
    except Exception as error:  # whatever a model raises is this scenario's result
        if rows == 1:
            return np.arange(0), {}, {first: _sentence(error)}
    half = rows // 2
    low = attempt({name: values[:half] for name, values in columns.items()}, simulate, first)
    high = attempt({name: values[half:] for name, values in columns.items()}, simulate, first + half)
    results = {name: np.concatenate([low[1][name], high[1][name]]) for name in low[1]} if low[1] and high[1] else {}
    return np.concatenate([low[0], high[0]]), results or low[1] or high[1], low[2] | high[2]


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_ERROR]


def _commit(
    task: Task,
    done: np.ndarray,
    results: Columns,
    errors: dict[int, str],
    started: float,
    model_s: float,
    factor: float,
) -> Reference:
    name = write_chunk(task.storage, MODEL_VERSION, table(task.keys, results, done, errors))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lockups = int((results["verdict"] == LOCKED).sum()) if results else 0
    return Reference(name, len(task), len(errors), lockups, model_s, started, time.time(), peak_mib, factor)
