"""Runs tasks on Ray: a bounded window of them, and what becomes of those that come back without a result.

What the model raises is a row of its chunk (``task.py``) and never comes back here. A machine's trouble is none of a
task's: it runs again, however often. A worker that died may be the task's doing: so the task runs again, then alone
(nothing else of the sweep beside it), then in halves, until the scenario at fault stands alone and is quarantined.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from sweep.execution.task import Reference, Simulate, Task, quarantine, run_task
from workers.schema import ScenarioError

DEATHS_IN_COMPANY = 2
"""Deaths of its worker, beside other tasks, after which a task has to run alone."""

DEATHS_ALONE = 2
"""Deaths alone after which a single scenario is quarantined; of several, one is enough to halve them."""

QUARANTINED = "WorkerDied: each worker that ran this scenario alone died (out of memory, or a crash)"
CPUS_SEEN_S, TROUBLE_S = 5.0, 1.0
"""How often the cluster is asked for its CPUs; the pause after a machine's trouble."""


def execute(tasks: Iterable[Task], simulate: Simulate, cpus: Callable[[], int]) -> Iterator[tuple[Task, Reference]]:
    """Runs all tasks, taken as needed: at most twice as many in flight as ``cpus()``, which may change.

    Gives each with its reference as it is done, in any order; those that killed their workers come last, some of them
    in parts. Raises OSError where a worker could not write, ScenarioError where Ray itself is lost.
    """
    import ray

    try:
        yield from _all(tasks, simulate, cpus)
    except (ray.exceptions.RayError, ConnectionError) as error:  # Ray is gone, or cannot run tasks at all
        reason = " ".join(str(error).split())[:300]
        raise ScenarioError(f"cluster: Ray runs no tasks any more ({reason}); what is done is kept") from None


def _all(tasks: Iterable[Task], simulate: Simulate, cpus: Callable[[], int]) -> Iterator[tuple[Task, Reference]]:
    """Raises what Ray raises, too."""
    suspects: list[Task] = []
    yield from _run(tasks, simulate, _Now(lambda: 2 * cpus()), DEATHS_IN_COMPANY, suspects, "DEFAULT")
    while suspects:
        singles = [task for task in suspects if len(task) == 1]
        several = [task for task in suspects if len(task) > 1]
        culprits: list[Task] = []
        suspects = []
        yield from _run(several, simulate, _Now(_nodes), 1, suspects, "SPREAD")
        yield from _run(singles, simulate, _Now(_nodes), DEATHS_ALONE, culprits, "SPREAD")
        yield from ((task, quarantine(task, QUARANTINED)) for task in culprits)
        suspects = [half for task in suspects for half in task.halves()]


def _run(
    tasks: Iterable[Task],
    simulate: Simulate,
    window: Callable[[], int],
    deaths: int,
    suspects: list[Task],
    strategy: Literal["DEFAULT", "SPREAD"],
) -> Iterator[tuple[Task, Reference]]:
    """Runs tasks, at most ``window()`` in flight; those whose workers died ``deaths`` times join ``suspects``."""
    import ray

    # Ray's own retries would not tell a machine's trouble from a task's, nor stop at an innocent task's halves
    remote = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy=strategy)(run_task)
    waiting, again = iter(tasks), deque[Task]()
    died: Counter[bytes] = Counter()
    running: dict[Any, Task] = {}
    while True:
        while len(running) < window() and (task := again.popleft() if again else next(waiting, None)) is not None:
            running[remote.remote(task, simulate)] = task
        if not running:
            return
        for reference in ray.wait(list(running), num_returns=1)[0]:
            task = running.pop(reference)
            try:
                done = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None  # an OSError of the worker's
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                died[task.name] += 1
                (again if died[task.name] < deaths else suspects).append(task)
            except (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError):
                again.append(task)
                time.sleep(TROUBLE_S)
            else:
                yield task, done


def _nodes() -> int:
    """Living nodes with CPUs: as many tasks as can be in flight, each on a node of its own."""
    import ray

    return max(1, sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes()))


class _Now:
    """A figure of the cluster, asked for again every few seconds."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self.ask, self.asked, self.figure = ask, -CPUS_SEEN_S, 0

    def __call__(self) -> int:
        if time.monotonic() - self.asked >= CPUS_SEEN_S:
            self.asked, self.figure = time.monotonic(), self.ask()
        return self.figure
