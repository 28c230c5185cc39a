"""Rows of first attempts that a space full below 4 GiB refuses, of all CPUs at once.

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
from workers.events.flush_queue import FlushQueue
from workers.schema import RCACHE_BINS

REFUSALS = -1 - RCACHE_BINS
"""Entry of the heap of clocks that stands for the first of the CPUs in line."""

SHORTEST_ROW = 3
"""Attempts from which on it pays to stand in line."""


class Refusals(FlushQueue):
    """Of one scenario under one depot (both as plain values by column name), of one size of IOVAs."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> None:
        super().__init__(scenario, depot)
        self.map_ns = scenario["map_ns"]
        self.cached_map_ns = self.map_ns + self.local_ns
        self.horizon_ns = 1e9 * scenario["horizon_s"]
        self.others[REFUSALS] = self._serve_line
        self.line: list[tuple[float, int, int]] = [(inf, NOBODY, 0)]
        """A heap of (clock at which it asks for the lock, CPU, attempts left), and one that is never due."""
        self.left_line = [(0.0, 0)] * scenario["cpus"]
        """Of each CPU that was in line: when it asks next, and attempts it left."""

    def in_line(self, cpu: int, asks_ns: float, most: int) -> Steps:
        """Up to ``most`` first attempts, the first of which asks for the lock at ``asks_ns``: how many were refused,
        and when the next one asks. Nothing else may happen to the CPU meanwhile."""
        heappush(self.line, (asks_ns, cpu, most))
        if self.line[0][1] == cpu:
            heappush(self.heap, (asks_ns, REFUSALS))
        yield None
        asks_ns, left = self.left_line[cpu]
        return most - left, asks_ns

    def _serve_line(self, now: float) -> None:
        """Refuses those in line, in the order of their clocks, until somebody else is due; or lets all go."""
        line = self.line
        first_ns = line[0][0]
        if first_ns > now:
            return  # another entry of the heap came first, and this one with it
        if self.tree.sizes[0] < self.tree.max32_alloc_size:
            while line[0][0] < inf:
                self._leave_line(*heappop(line))
            return
        self._refuse_until(min(self.heap[0], (self.horizon_ns, NOBODY)))
        if line[0][0] < inf:  # a CPU with a lower number is due as well if nobody was served: it comes first
            heappush(self.heap, (line[0][0] if line[0][0] > first_ns else nextafter(now, inf), REFUSALS))

    def _leave_line(self, asks_ns: float, cpu: int, left: int) -> None:
        self.left_line[cpu] = asks_ns, left
        heappush(self.heap, (asks_ns, cpu))

    def _refuse_until(self, until: tuple[float, int]) -> None:
        """As ``search`` of one after the other, and what each does from there to its next attempt."""
        line, lock, handover_ns = self.line, self.tree_lock, self.handover_ns
        local_ns, remote_ns, wait_ns, wait_max_ns = self.local_ns, self.remote_ns, self.wait_ns, self.wait_max_ns
        to_next_ns = 2 * self.iova_slab_ns + local_ns + self.cached_map_ns
        free_ns, last, refused = lock.free_ns, lock.last, 0
        first = heappop(line)
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
                first = heappushpop(line, (asks_ns, cpu, left - 1))
            else:
                self._leave_line(asks_ns, cpu, 0)
                until = min(until, (asks_ns, cpu))
                first = heappop(line)
        heappush(line, first)
        lock.free_ns, lock.last, self.wait_ns, self.wait_max_ns = free_ns, last, wait_ns, wait_max_ns
        self.irqs_were_off(wait_max_ns)
        self.structs_peak = max(self.structs_peak, self.structs + 1)
        self.acquisitions += refused
        self.ops += refused
        self.cached_pages -= refused * self.rcaches[self.bins[0]].pages
