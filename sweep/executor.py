"""Runs tasks in this process; the other executor is in ``sweep.ray_executor``, and nothing here imports Ray.

An executor is a context manager that gives ``execute(tasks) -> iterator of (task, reference)``, in any order, and the
number of CPUs. It takes tasks as it needs them. A task that it split comes back as several smaller ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from sweep.task import Reference, Simulate, Task, run_task

Execute = Callable[[Iterable[Task]], Iterator[tuple[Task, Reference]]]


@contextlib.contextmanager
def inline(simulate: Simulate) -> Iterator[tuple[Execute, int]]:
    """One task after the other in this process; also says how many CPUs it uses: one."""
    yield lambda tasks: ((task, run_task(task, simulate)) for task in tasks), 1
