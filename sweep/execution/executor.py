"""Where tasks run: in this process, or on Ray (``ray_executor``), which is imported only then.

An executor is a context manager that gives ``execute(tasks) -> iterator of (task, reference)``, in any order, and the
number of CPUs. It takes tasks as it needs them. A task that it split comes back as several smaller ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sweep.config import ClusterConfig
from sweep.execution.task import Execute, Simulate, run_task
from sweep.storage import Storage
from workers.schema import ScenarioError

EXECUTORS = ("ray", "inline")


def check_executor(name: str) -> None:
    """Raises ScenarioError where that is none of EXECUTORS."""
    if name not in EXECUTORS:
        raise ScenarioError(f"executor: {name!r} was given; allowed are {', '.join(EXECUTORS)}")


def executor(
    in_process: bool, cluster: ClusterConfig, simulate: Simulate, store: Storage
) -> contextlib.AbstractContextManager[tuple[Execute, int]]:
    """The one or the other; ``store``: where the tasks put their results, which all nodes of a cluster have to see."""
    if in_process:
        return inline(simulate)
    from sweep.execution.ray_executor import on_ray  # so that an inline run never imports Ray

    return on_ray(cluster, simulate, store)


@contextlib.contextmanager
def inline(simulate: Simulate) -> Iterator[tuple[Execute, int]]:
    """One task after the other in this process; also says how many CPUs it uses: one."""
    yield lambda tasks: ((task, run_task(task, simulate)) for task in tasks), 1
