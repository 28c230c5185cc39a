"""Maps of the CPUs: rows of them from a CPU's own magazines, and rows that miss there and go to the tree.

Source: drivers/iommu/dma-iommu.c (5.15), iommu_dma_alloc_iova(); drivers/iommu/iova.c, alloc_iova_fast().
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import inf
from random import Random
from typing import Any

from workers.events.clocks import Steps, begun_within
from workers.events.refusals import SHORTEST_ROW, Refusals


class Maps(Refusals):
    """Of one scenario under one depot (both as plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> None:
        super().__init__(scenario, depot)
        self.random = Random(scenario["seed"])
        self.refused_in_rows = not self.mixed and scenario["free_cpu_shift"] % self.active == 0
        """Of several sizes such rows are short; and nobody else may see the list that a CPU maps for."""
        self.most_in_flight = 2 * scenario["in_flight"]

    def draw(self, number: int) -> list[int]:
        """Size classes of ``number`` maps, the first one last."""
        return self.random.choices(self.classes, self.weights, k=number)[::-1] if self.mixed else [0] * number

    def map_burst(self, cpu: int, now: float, target_cpu: int) -> Steps:
        """Maps as many as a burst unmaps, for ``target_cpu`` to unmap them; the clock."""
        target = self.in_flight[target_cpu]
        draws = self.draw(self.scenario["unmap_burst"])
        while draws:
            if self.timer_cpu == cpu:
                now = yield from self.softirq(cpu, now)
            room = self.most_in_flight - len(target)
            if target_cpu in self.runs:
                room -= self.still_mapped(target_cpu)
            if room <= 0:
                break
            iovas, now = self._map_cached(cpu, now, draws, room)
            if iovas:
                target.extend(iovas)
                self.ops += len(iovas)
                del draws[-len(iovas) :]
            else:
                now = yield from self._map_missed(cpu, now, draws, target_cpu)
        return now

    def _map_cached(self, cpu: int, now: float, draws: list[int], room: int) -> tuple[list[int], float]:
        """The next of ``draws``, up to ``room``, as long as the CPU's own magazines serve them and its timer is not
        due; its clock."""
        each_ns = self.cached_map_ns
        until_ns = self.timer_due_ns if self.timer_cpu == cpu else inf
        if not self.mixed:
            rcache = self.rcache_of[0]
            if not rcache:
                return [], now
            most = min(room, len(draws), begun_within(until_ns - now, each_ns))
            iovas = self.pop(cpu, rcache, most, self.low_first)
            return iovas, now + len(iovas) * each_ns
        iovas = []
        for size_class in islice(reversed(draws), room):
            rcache = self.rcache_of[size_class]
            if not rcache or now >= until_ns:
                break
            loaded = rcache.loaded[cpu]
            if loaded and loaded[-1] < self.usable_below:  # as pop_one, written out: a call costs a tenth of such loads
                iovas.append(loaded.pop())
                self.cached_pages -= rcache.pages
            else:
                found = self.pop(cpu, rcache, 1, self.low_first)
                if not found:
                    break
                iovas += found
            now += each_ns
        return iovas, now

    def _map_missed(self, cpu: int, now: float, draws: list[int], target_cpu: int) -> Steps:
        """The first of ``draws``, which the CPU's magazines did not serve, and those after it that they do not serve
        either, while nothing has to be looked at in between; the clock."""
        target, heap = self.in_flight[target_cpu], self.heap
        low_first, slab_ns, in_rows = self.low_first, self.iova_slab_ns, self.refused_in_rows
        while True:
            size_class = draws[-1]
            rcache = self.rcache_of[size_class]
            now += self.cached_map_ns if rcache else self.map_ns
            low, iova = low_first, None
            while iova is None:
                if rcache and not rcache.loaded[cpu]:
                    if heap[0][0] < now:
                        yield now
                    now = self.refill(cpu, now, rcache)
                    if rcache.loaded[cpu]:
                        iova = self.pop_one(cpu, rcache, low)
                        if iova is not None:
                            break
                asked = now + slab_ns
                if in_rows and low and rcache and rcache.is_poisoned(cpu):
                    asked = yield from self._map_refused(cpu, asked, draws)
                if heap[0][0] < asked:
                    yield asked
                self.asked_ns = asked
                iova, now = self.search(cpu, asked, size_class, low)
                if iova is None and low:
                    low = False
                    if rcache:
                        now += self.local_ns
                        iova = self.pop_one(cpu, rcache, low)
            draws.pop()
            target.append(iova)
            self.ops += 1
            if not draws or self.timer_cpu == cpu or len(target) >= self.most_in_flight or target_cpu in self.runs:
                return now
            rcache = self.rcache_of[draws[-1]]
            if rcache and self.may_pop(cpu, rcache):
                return now

    def _map_refused(self, cpu: int, asked: float, draws: list[int]) -> Steps:
        """Maps, of one size, those of ``draws`` but the last whose first attempts, from ``asked`` on, are sure to be
        refused and whose second ones a poisoned ``loaded`` serves; when that last one asks for the lock."""
        tree, target, loaded = self.tree, self.in_flight[cpu], self.rcaches[self.bins[0]].loaded[cpu]
        if tree.sizes[0] < tree.max32_alloc_size or self.timer_cpu == cpu:  # a due timer would come first
            return asked
        row = min(len(draws), self.most_in_flight - len(target), len(loaded))
        if row < SHORTEST_ROW:
            return asked
        done, asked = yield from self.in_line(cpu, asked, row - 1)
        if done:
            target += loaded[: -done - 1 : -1]
            del loaded[-done:], draws[-done:]
        return asked
