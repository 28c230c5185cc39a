"""Runs of first attempts that are refused below 4 GiB, as it is full, served for all CPUs in one loop.

Source: drivers/iommu/iova.c (5.15), __alloc_and_insert_iova_range() above max32_alloc_size; drivers/iommu/dma-iommu.c,
iommu_dma_alloc_iova(). A CPU whose ``loaded`` is poisoned gets iova_rbtree_lock, is refused, and takes an IOVA above
4 GiB from ``loaded``, map after map. All that others see of it is who has the lock when, so one loop does it for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush, heappushpop
from math import inf, nextafter
from typing import Any

from workers.events.clocks import NOBODY, Steps
from workers.events.domain import Domain
from workers.schema import RCACHE_BINS

REFUSALS = -1 - RCACHE_BINS
"""Entry of the heap of clocks that stands for the first of the CPUs in line."""

SHORTEST_ROW = 3
"""Attempts from which on it pays to stand in line."""


class Line:
    """CPUs with such rows, in one scenario (plain values by column name), of one size of IOVAs."""

    def __init__(self, scenario: Mapping[str, Any], cached_map_ns: float, domain: Domain) -> None:
        self.locked_tree, self.clocks, self.counted = domain.locked_tree, domain.clocks, domain.counted
        self.to_next_ns = 2 * scenario["iova_slab_ns"] + self.clocks.local_ns + cached_map_ns
        """From a refusal to the CPU's next attempt."""
        self.pages = domain.rcache_of[0].pages if domain.rcache_of[0] else 0
        self.clocks.others[REFUSALS] = self._serve
        self.waiting: list[tuple[float, int, int]] = [(inf, NOBODY, 0)]
        """A heap of (clock at which it asks for the lock, CPU, attempts left), and one that is never due."""
        self.left = [(0.0, 0)] * scenario["cpus"]
        """Of each CPU that was in line: when it asks next, and attempts it left."""

    def stand(self, cpu: int, asks_ns: float, most: int) -> Steps:
        """Up to ``most`` first attempts, the first of which asks for the lock at ``asks_ns``: how many were refused,
        and when the next one asks. Nothing else may happen to the CPU meanwhile."""
        heappush(self.waiting, (asks_ns, cpu, most))
        if self.waiting[0][1] == cpu:
            heappush(self.clocks.heap, (asks_ns, REFUSALS))
        yield None
        asks_ns, left = self.left[cpu]
        return most - left, asks_ns

    def _serve(self, now: float) -> None:
        """Refuses those in line, in the order of their clocks, until somebody else is due; or lets all go."""
        waiting, heap = self.waiting, self.clocks.heap
        first_ns = waiting[0][0]
        if first_ns > now:
            return  # another entry of the heap came first, and this one with it
        if not self.locked_tree.tree.refuses(0):
            while waiting[0][0] < inf:
                self._leave(*heappop(waiting))
            return
        self._refuse_until(heap[0])
        if waiting[0][0] < inf:  # a CPU with a lower number is due as well if nobody was served: it comes first
            heappush(heap, (waiting[0][0] if waiting[0][0] > first_ns else nextafter(now, inf), REFUSALS))

    def _leave(self, asks_ns: float, cpu: int, left: int) -> None:
        self.left[cpu] = asks_ns, left
        heappush(self.clocks.heap, (asks_ns, cpu))

    def _refuse_until(self, until: tuple[float, int]) -> None:
        """As ``LockedTree.search`` of one after the other, and what each does from there to its next attempt."""
        waiting, lock, counted, to_next_ns = self.waiting, self.locked_tree.lock, self.counted, self.to_next_ns
        local_ns, remote_ns, handover_ns = self.clocks.local_ns, self.clocks.remote_ns, self.clocks.handover_ns
        wait_ns, wait_max_ns = counted.wait_ns, counted.wait_max_ns
        free_ns, last, refused = lock.free_ns, lock.last, 0
        first = heappop(waiting)
        while first < until:
            asked, cpu, left = first
            if free_ns > asked:
                free_ns += handover_ns
            else:
                free_ns = asked + (local_ns if last == cpu else remote_ns)
            last = cpu
            refused += 1
            wait = free_ns - asked
            wait_ns += wait
            if wait > wait_max_ns:
                wait_max_ns = wait
            asks_ns = free_ns + to_next_ns
            if left > 1:
                first = heappushpop(waiting, (asks_ns, cpu, left - 1))
            else:
                self._leave(asks_ns, cpu, 0)
                until = min(until, (asks_ns, cpu))
                first = heappop(waiting)
        heappush(waiting, first)
        lock.free_ns, lock.last, counted.wait_ns, counted.wait_max_ns = free_ns, last, wait_ns, wait_max_ns
        counted.irqs_were_off(wait_max_ns)
        counted.nodes_peak = max(counted.nodes_peak, counted.nodes + 1)
        counted.acquisitions += refused
        counted.ops += refused
        counted.cached_pages -= refused * self.pages
