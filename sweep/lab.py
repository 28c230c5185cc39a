"""Scenarios that a command thinks of as it goes, through the farm: from the store where it has them, else run there.

For commands that ask, look at the answers and ask again (``sweep.capacity``, ``sweep.sru``). Interrupted, the same
command goes on from what the store holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
import polars as pl

from sweep.config import ClusterConfig, Library
from sweep.execution.executor import executor
from sweep.execution.task import Execute, Simulate
from sweep.execution.work import Tally, compute, missing
from sweep.plan import TablePlan, windows
from sweep.progress import Progress
from sweep.results import Chunks, despite_losses, rows_of
from sweep.storage import Storage
from sweep.store import Store
from workers.tables import to_columns

Scenario = dict[str, Any]
"""A completed scenario, as ``workers.tables.complete_row`` gives it."""

Row = dict[str, Any]
"""A row of results.parquet: scenario, results, ``status`` and ``error``."""


class Lab:
    """Runs batches of scenarios; Ray is started when the first one needs it. Made by ``lab``."""

    def __init__(self, library: Library, store: Store, start: contextlib.AbstractContextManager, progress: Progress):
        self.library, self.store, self.progress = library, store, progress
        self.tally = Tally()
        self._start, self._started = start, contextlib.ExitStack()
        self._executor: tuple[Execute, int] | None = None

    def run(self, scenarios: Sequence[Scenario]) -> list[Row]:
        """The results of a batch, in its order; a scenario that failed is a row with ``status`` failed.

        All go to the model side by side: one wide batch costs far less than many narrow ones. Raises ScenarioError
        where the store or Ray cannot be used.
        """
        if not scenarios:
            return []
        plan = TablePlan(to_columns(list(scenarios)), self.library.depot)
        numbers = np.arange(len(plan))
        found = len(plan) - len(self._missing(plan))
        self.progress.expect(found)
        self.progress.reuse(found)

        def begun() -> list[Row]:
            self._compute(plan)
            return rows_of(plan, numbers, Chunks(self.store)).to_dicts()

        return despite_losses(self.store, begun)

    def close(self) -> None:
        """Stops what was started."""
        self._started.close()

    def _compute(self, plan: TablePlan) -> None:
        numbers = self._missing(plan)  # begun anew, what was lost: no more of it counts twice
        if not len(numbers):
            return
        self.progress.expect(len(numbers))
        if self._executor is None:
            self._executor = self._started.enter_context(self._start)
        execute, cpus = self._executor
        compute(plan, [_mixed(numbers)], self.store, execute, cpus, self.progress, self.tally)

    def _missing(self, plan: TablePlan) -> np.ndarray:
        return np.concatenate(list(missing(plan, windows(len(plan)), self.store)))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Row numbers in an order that puts as many dear ones into each chunk: those of one host lie together."""
    return np.random.default_rng(0).permutation(numbers)


@contextlib.contextmanager
def lab(
    library: Library,
    storage: Storage,
    in_process: bool,
    stream: TextIO | None,
    simulate: Simulate,
    delete: bool = True,
) -> Iterator[Lab]:
    """A lab over the store in ``storage``, in this process or on Ray (RAY_ADDRESS, else one of its own).

    ``stream``: where progress is told, if anywhere; damaged files of the store are named there and, with ``delete``,
    deleted.
    """
    store = Store(storage)
    for line in store.told(store.load(delete)):
        if stream and delete:
            print(line, file=stream)
    made = Lab(library, store, executor(in_process, ClusterConfig(), simulate, storage), Progress(stream))
    try:
        yield made
    finally:
        made.close()


def points_csv(scenarios: Sequence[Scenario]) -> bytes:
    """A points file of these scenarios, for ``python -m sweep points=FILE``; ids that repeat are left out."""
    once = {scenario["id"]: scenario for scenario in scenarios}
    return pl.DataFrame(list(once.values()), infer_schema_length=None).write_csv().encode()
