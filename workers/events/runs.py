"""Runs of unmaps: those of a burst enter the ring at once, and a flush meanwhile takes back what comes after it.

Source: drivers/iommu/iova.c (5.15), queue_iova(): an entry made before a flush is freed by whoever comes next to the
ring, one made after it waits for the next flush.
"""

from __future__ import annotations

from heapq import heapify

from workers.events.clocks import Clocks, Ring, begun_within
from workers.events.counters import Counters
from workers.events.iova import Iovas


class Runs:
    """Of CPUs that have given way before their run's last unmap; ``in_flight``: what each CPU has mapped, the oldest
    first."""

    def __init__(
        self, unmap_ns: float, in_flight: list[Iovas], rings: list[Ring], clocks: Clocks, counted: Counters
    ) -> None:
        self.unmap_ns = unmap_ns
        self.in_flight, self.rings, self.clocks, self.counted = in_flight, rings, clocks, counted
        self.each_ns = unmap_ns + clocks.local_ns
        self.of_cpu: dict[int, tuple[float, int]] = {}
        """By CPU: when the first of its run was in the ring, and how many there are."""

    def _done(self, first_ns: float, by_ns: float) -> int:
        """How many unmaps of a run, or of a longer one, have asked for the ring before ``by_ns``."""
        return begun_within(by_ns - first_ns - self.unmap_ns, self.each_ns) + 1

    def cut(self, now: float) -> None:
        """Takes back the unmaps that come after a flush at ``now``: the next of them finds its ring drained or to be
        drained."""
        earlier_ns = {}
        for cpu, (first_ns, some) in self.of_cpu.items():
            kept = self._done(first_ns, now)
            if kept < some:
                ring = self.rings[cpu]
                self.in_flight[cpu][:0] = ring.iovas[kept - some :]
                del ring.iovas[kept - some :]
                ring.kept = kept
                self.counted.ops -= some - kept
                earlier_ns[cpu] = first_ns + (kept - 1) * self.each_ns
        if earlier_ns:
            for cpu in earlier_ns:
                del self.of_cpu[cpu]
            heap = self.clocks.heap
            heap[:] = [(earlier_ns.get(cpu, clock), cpu) for clock, cpu in heap]
            heapify(heap)

    def still_mapped(self, cpu: int) -> int:
        """IOVAs of a CPU's run that it has not begun to unmap, as the CPU at work sees it: it takes the next one before
        it asks for the ring."""
        first_ns, some = self.of_cpu[cpu]
        return max(some - self._done(first_ns, self.clocks.asked_ns) - 1, 0)
