"""CPUs with clocks of their own, and the locks they share.

The CPU with the lowest clock goes on, and gives way before it asks for a lock that others may want (see
docs/virtual-time.md). A lock serves in the order of the clocks, so a request is served as it is made: it begins where
the last one ended. Nobody gives way inside a lock but in a ring's, which may be held while waiting for a depot's or the
tree's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from heapq import heapify, heappop, heappush, heappushpop
from math import ceil, inf
from sys import maxsize
from typing import Any

from workers.events.iova import Iovas

NOBODY = -1

LOOK = -1 << 30
"""Entry of the heap of clocks that stands for who looks at the run."""

END = LOOK - 1
"""Entry of the horizon, before all others that are due then."""

Look = Callable[[float], float | None]
"""Sees a run at some of its moments; see ``Clocks.go``."""

Steps = Generator[float | None, None, Any]
"""A CPU at work: it yields its clock where it gives way, None where others will put it back: it waits for a ring,
or stands in line (workers.events.refusals)."""


def begun_within(span_ns: float, each_ns: float) -> int:
    """How many operations of ``each_ns``, in a row, begin within ``span_ns``; a great many if they cost nothing."""
    if span_ns <= 0.0:
        return 0
    return ceil(span_ns / each_ns) if each_ns and span_ns < inf else maxsize


class Lock:
    """A spinlock: when it came free, and who held it last."""

    __slots__ = ("free_ns", "last")

    def __init__(self) -> None:
        self.free_ns, self.last = 0.0, NOBODY


class Ring(Lock):
    """struct iova_fq: ``iovas`` were appended when ``epoch`` flushes had begun. ``busy``: held by one who waits.
    ``kept``: how many unmaps of its CPU's last run a flush left done."""

    __slots__ = ("busy", "epoch", "iovas", "kept", "waiter")

    def __init__(self, iovas: Iovas) -> None:
        super().__init__()
        self.iovas = iovas
        self.epoch = self.kept = 0
        self.busy = False
        self.waiter = NOBODY


class Clocks:
    """Times in ns. ``now`` is a CPU's own clock, which it carries along as it works."""

    def __init__(self, costs: Mapping[str, float]) -> None:
        self.local_ns, self.remote_ns = costs["lock_local_ns"], costs["lock_remote_ns"]
        self.handover_ns = costs["lock_handover_ns"]
        self.horizon_ns = 1e9 * costs["horizon_s"]
        self.heap: list[tuple[float, int]] = [(self.horizon_ns, END)]
        """(clock, CPU) of all who have given way, and the horizon, at which all do."""
        self.others: dict[int, Callable[[float], None]] = {}
        """What is due beside the CPUs, by its entry in the heap, which is below 0."""
        self.asked_ns = 0.0
        """When the CPU at work last let those with lower clocks go first."""

    def move_horizon(self, horizon_ns: float) -> None:
        """To a later one, after ``go`` came to the one before; nobody looks any more."""
        self.horizon_ns = horizon_ns
        self.heap[:] = [entry for entry in self.heap if entry[1] != LOOK]
        heapify(self.heap)
        heappush(self.heap, (horizon_ns, END))

    def go(self, tasks: Mapping[int, Steps], look: Look | None = None) -> None:
        """Runs ``tasks``, by CPU, to the horizon, and the ``others`` as they are due.

        ``look`` is called with the lowest clock, at the start and then at the later moment that it asked for last; or
        it says None, and the run ends there.
        """
        heap, horizon_ns = self.heap, self.horizon_ns
        steps = {cpu: task.__next__ for cpu, task in tasks.items()}
        if look:
            heappush(heap, (0.0, LOOK))
        now, cpu = heappop(heap)
        while now < horizon_ns:
            if cpu >= 0:
                clock = steps[cpu]()
                now, cpu = heappop(heap) if clock is None else heappushpop(heap, (clock, cpu))
                continue
            if look and cpu == LOOK:
                again_ns = look(now)
                if again_ns is None:
                    return
                heappush(heap, (again_ns, LOOK))
            else:
                self.others[cpu](now)
            now, cpu = heappop(heap)

    def enter(self, lock: Lock, cpu: int, now: float) -> float:
        """spin_lock(): when ``cpu``, asking now, holds the lock."""
        if lock.free_ns > now:
            now = lock.free_ns + self.handover_ns
        else:
            now += self.local_ns if lock.last == cpu else self.remote_ns
        lock.last = cpu
        return now
