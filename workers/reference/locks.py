"""Spinlocks as the twin sees them, and what both engines (replay, virtual time) offer.

Kernel code that may have to wait is a generator: ``while not acquire(lock, cpu): yield`` is spin_lock().
A function with a common case that never waits returns its result, or else a generator that finds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from types import GeneratorType
from typing import Any, Protocol

RBTREE, CPU, DEPOT, RING = range(4)
NOBODY = -1

Steps = Generator[None, None, Any]
"""Kernel code in steps: it yields where the CPU must wait for others."""


class Lock:
    """One spinlock: who holds it, who held it last, when it came free, who waits (first come, first served)."""

    __slots__ = ("free_at", "kind", "last", "owner", "taken_at", "waiters")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.owner = self.last = NOBODY
        self.free_at = self.taken_at = 0.0
        self.waiters: deque[int] = deque()


class Engine(Protocol):
    """What the kernel code needs from the machine it runs on."""

    clock: list[float]
    """ns, one a CPU: costs are added to the CPU that does the work."""
    acquired: list[int]
    """Acquisitions by kind of lock."""

    def acquire(self, lock: Lock, cpu: int) -> bool:
        """spin_lock(): True once ``cpu`` holds it; after False the caller yields and asks again."""

    def release(self, lock: Lock, cpu: int) -> None:
        """spin_unlock()."""

    def irqs_off(self, cpu: int, since: float) -> None:
        """spin_lock_irqsave() of a lock that was asked for at ``since`` ns."""

    def irqs_on(self, cpu: int) -> None:
        """spin_unlock_irqrestore()."""

    def schedule_work(self, size_bin: int, cpu: int) -> None:
        """schedule_delayed_work() of a bin's depot work: nothing while it is pending."""

    def arm_timer(self, cpu: int, timeout_ms: int) -> Steps:
        """mod_timer() of the flush queue's timer."""


def msecs_to_jiffies(ms: float, hz: int) -> int:
    """msecs_to_jiffies(): rounded up."""
    return int((ms * hz + 999) // 1000)


def run_alone(steps: Any) -> Any:
    """The result of kernel code where nobody else runs, so that nothing has to wait."""
    if not isinstance(steps, GeneratorType):
        return steps
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value
