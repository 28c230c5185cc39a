"""The heart of a sweep: runs the scenarios of a plan that the store does not hold yet.

``compute`` takes batches of row numbers, all of a plan or a round of some strategy's; results go to the store and
are looked up there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from sweep.execution.chunks import cut
from sweep.execution.task import Execute, Reference, Task
from sweep.plan import WINDOW_ROWS, Plan
from sweep.progress import Progress
from sweep.store import Store
from sweep.store.index import PENDING, Index, first_of_each
from sweep.store.keys import scenario_keys
from workers.delicate import expected_runs, followed
from workers.schema import ScenarioError
from workers.task import estimate_seconds


@dataclass
class Tally:
    """What was run: scenarios, failed ones, chunks, seconds in the model, and the span and most memory of all tasks.

    ``predicted_s``: of the seconds in the model, from what was known before each chunk ended. ``sliced_s``: seconds of
    the chunks without delicate scenarios, and ``sliced_estimated_s`` what ``estimate_seconds`` gives for them.
    ``first_mib``: most memory of the first chunk with delicate scenarios (True) and of the first without.
    """

    rows: int = 0
    failed: int = 0
    chunks: int = 0
    model_s: float = 0.0
    predicted_s: float = 0.0
    sliced_s: float = 0.0
    sliced_estimated_s: float = 0.0
    first_mib: dict[bool, float] = field(default_factory=dict)
    started: float = field(default=float("inf"))
    ended: float = 0.0
    peak_mib: float = 0.0

    def add(self, done: Reference, delicate: bool, estimated_s: float) -> None:
        """Counts one chunk; ``delicate``: it has delicate scenarios."""
        factor = done.core_factor
        if not delicate:
            if self.sliced_s:
                factor = self.sliced_s / self.sliced_estimated_s
            self.sliced_s += done.model_s
            self.sliced_estimated_s += estimated_s
        self.predicted_s += factor * estimated_s
        self.first_mib.setdefault(delicate, done.peak_mib)
        self.rows, self.failed, self.chunks = self.rows + done.rows, self.failed + done.failed, self.chunks + 1
        self.model_s += done.model_s
        self.started, self.ended = min(self.started, done.started), max(self.ended, done.ended)
        self.peak_mib = max(self.peak_mib, done.peak_mib)

    def summary(self, ready: float, cpus: int) -> dict[str, float]:
        """For the manifest. ``ready``: when the executor was, seconds since the epoch.

        ``efficiency``: the share of ``cpus`` x the span of all tasks that went into the model.
        """
        if not self.chunks:
            return {"chunks": 0}
        span_s = self.ended - self.started
        return {
            "chunks": self.chunks,
            "peak_mib": round(self.peak_mib),
            "first_after_s": round(self.started - ready, 3),
            "span_s": round(span_s, 3),
            "efficiency": round(self.model_s / (cpus * max(span_s, 1e-9)), 4),
        }

    def forecast(self, cpus: int) -> dict[str, dict[str, float]]:
        """What was predicted, and what came; the memory is that of the first chunks, against that of all."""
        span_s = self.ended - self.started if self.chunks else 0.0
        return {
            "predicted": _figures(self.predicted_s, self.predicted_s / cpus, max(self.first_mib.values(), default=0.0)),
            "actual": _figures(self.model_s, span_s, self.peak_mib),
        }


def _figures(core_s: float, wall_s: float, peak_mib: float) -> dict[str, float]:
    return {"core_s": round(core_s, 3), "wall_s": round(wall_s, 3), "peak_mib": round(peak_mib)}


def compute(
    plan: Plan,
    batches: Iterable[np.ndarray],
    store: Store,
    execute: Execute,
    cpus: int,
    progress: Progress,
    tally: Tally,
) -> None:
    """Runs what the store does not know of each batch of row numbers; whatever is done when it returns is indexed.

    Equal content is run once. Batches are taken one by one, as the workers need them. ``progress`` and ``tally``
    count what is done. Raises ScenarioError where the store cannot be written.
    """
    try:
        with progress.alive():
            for task, done in execute(_tasks(plan, batches, store, cpus, progress)):
                store.index.put(task.keys, done.name)
                delicate = bool(followed(task.columns).any())
                estimated_s = float(estimate_seconds(task.columns).sum())
                tally.add(done, delicate, estimated_s)
                progress.add(done.rows, done.failed, done.lockups, delicate, estimated_s, done.model_s)
    except OSError as error:
        reason = error.strerror or error
        raise ScenarioError(f"store: {store.storage.url} cannot be written ({reason})") from None


def missing(plan: Plan, batches: Iterable[np.ndarray], store: Store) -> Iterator[np.ndarray]:
    """Of each batch of row numbers those that the store does not hold."""
    for numbers in batches:
        yield numbers[store.unknown(scenario_keys(plan.rows(numbers)))]


def will_run(plan: Plan, batches: Iterable[np.ndarray], store: Store) -> Iterator[np.ndarray]:
    """Of each batch of row numbers those that ``compute`` would run: of equal content the first."""
    before = Index()
    for numbers in batches:
        yield numbers[first_unknown(scenario_keys(plan.rows(numbers)), store.index, before)]


def first_unknown(keys: np.ndarray, *known: Index) -> np.ndarray:
    """The places of the first of each key that none of the indices knows; the last one knows them then."""
    new = first_of_each(keys)
    for index in known:
        new = new[index.find(keys[new])[0] < 0]
    known[-1].put(keys[new], PENDING)
    return new


def _tasks(plan: Plan, batches: Iterable[np.ndarray], store: Store, cpus: int, progress: Progress) -> Iterator[Task]:
    for batch in batches:
        for numbers in np.split(batch, range(WINDOW_ROWS, len(batch), WINDOW_ROWS)):
            columns = plan.rows(numbers)
            keys = scenario_keys(columns)
            new = first_unknown(keys, store.index)
            progress.reuse(len(keys) - len(new))
            columns = {name: values[new] for name, values in columns.items()}
            whole = _beside_their_runs(Task(columns, keys[new], store.storage))
            columns = whole.columns
            seconds, delicate = estimate_seconds(columns), followed(columns)
            progress.foresee(len(seconds), float(seconds[~delicate].sum()), float(seconds[delicate].sum()))
            parts = cut(seconds, delicate, cpus)
            yield from (whole.take(rows) for rows in parts)


def _beside_their_runs(task: Task) -> Task:
    """Scenarios for which another one's run will do, behind that one: a chunk makes each run once."""
    runs = expected_runs(task.columns)
    return task.take(np.lexsort((runs != np.arange(len(runs)), runs)))
