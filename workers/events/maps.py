"""Bursts of maps of one size: rows of them from a CPU's own magazines, and rows that miss there and go to the tree.

Source: drivers/iommu/dma-iommu.c (5.15), iommu_dma_alloc_iova(); drivers/iommu/iova.c, alloc_iova_fast(). Several sizes
are those of workers.events.mixed_maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.events.clocks import Steps, begun_within
from workers.events.draws import Draws
from workers.events.flush_queue import FlushQueue
from workers.events.iova import Iovas, no_iovas
from workers.events.refusals import SHORTEST_ROW, Line


class Maps:
    """Of one scenario (plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], queue: FlushQueue) -> None:
        self.queue, self.domain, self.clocks, self.counted = queue, queue.domain, queue.clocks, queue.counted
        self.in_flight, self.burst_size = queue.in_flight, scenario["unmap_burst"]
        self.draws = Draws(scenario)
        self.alone = not queue.shift
        """Whether no other CPU sees the list that this one maps for, so that rows of maps are one step."""
        self.low_first = scenario["dma32_first"]
        self.map_ns, self.cached_map_ns = scenario["map_ns"], scenario["map_ns"] + self.clocks.local_ns
        self.line = Line(scenario, self.cached_map_ns, self.domain)
        self.most_in_flight = 2 * scenario["in_flight"]

    def room(self, target_cpu: int) -> int:
        """How many more may be mapped for a CPU, as the one at work sees it."""
        room = self.most_in_flight - len(self.in_flight[target_cpu])
        if target_cpu in self.queue.runs.of_cpu:
            room -= self.queue.runs.still_mapped(target_cpu)
        return room

    def at_once(self, cpu: int, now: float) -> tuple[int, float]:
        """Maps those of a burst that a CPU's own magazines serve while no timer may come in between; how many are left,
        and the clock."""
        left, rcache = self.burst_size, self.domain.rcache_of[0]
        if not rcache or not self.alone or self.queue.timer_cpu == cpu:
            return left, now
        target = self.in_flight[cpu]
        left = min(left, self.most_in_flight - len(target))
        while left > 0 and (iovas := self.domain.rcaches.pop(cpu, rcache, left, self.low_first)):
            target += iovas
            left -= len(iovas)
            self.counted.ops += len(iovas)
            now += len(iovas) * self.cached_map_ns
        return left, now

    def burst(self, cpu: int, now: float, left: int) -> Steps:
        """Maps ``left`` for the CPU that will unmap them; the clock."""
        queue, target_cpu = self.queue, (cpu + self.queue.shift) % len(self.in_flight)
        target = self.in_flight[target_cpu]
        while left > 0:
            if queue.timer_cpu == cpu:
                now = yield from queue.softirq(cpu, now)
            room = self.room(target_cpu)
            if room <= 0:
                break
            iovas, now = self._map_cached(cpu, now, min(left, room))
            if iovas:
                target.extend(iovas)
                self.counted.ops += len(iovas)
                left -= len(iovas)
            else:
                left, now = yield from self._map_missed(cpu, now, left, target_cpu)
        return now

    def _map_cached(self, cpu: int, now: float, most: int) -> tuple[Iovas, float]:
        """Up to ``most``, as long as the CPU's own magazines serve them and its timer is not due; its clock."""
        each_ns, queue, rcache = self.cached_map_ns, self.queue, self.domain.rcache_of[0]
        if not rcache:
            return no_iovas(False), now
        if queue.timer_cpu == cpu:
            most = min(most, begun_within(queue.timer_due_ns - now, each_ns))
        iovas = self.domain.rcaches.pop(cpu, rcache, most, self.low_first)
        return iovas, now + len(iovas) * each_ns

    def _map_missed(self, cpu: int, now: float, left: int, target_cpu: int) -> Steps:
        """The first of ``left``, which the CPU's magazines did not serve, and those after it that they do not serve
        either, while nothing has to be looked at in between; how many are left, and the clock."""
        target, heap, clocks, counted = self.in_flight[target_cpu], self.clocks.heap, self.clocks, self.counted
        domain, queue, rcache = self.domain, self.queue, self.domain.rcache_of[0]
        rcaches, locked_tree = domain.rcaches, domain.locked_tree
        low_first, slab_ns, in_rows = self.low_first, locked_tree.iova_slab_ns, self.alone
        while True:
            now += self.cached_map_ns if rcache else self.map_ns
            low, iova = low_first, None
            while iova is None:
                if rcache and not rcache.loaded[cpu]:
                    if heap[0][0] < now:
                        yield now
                    now = rcaches.refill(cpu, now, rcache)
                    if rcache.loaded[cpu]:
                        iova = rcaches.pop_one(cpu, rcache, low)
                        if iova is not None:
                            break
                asked = now + slab_ns
                if in_rows and low and rcache and rcache.is_poisoned(cpu):
                    left, asked = yield from self._map_refused(cpu, asked, left, rcache.loaded[cpu])
                if heap[0][0] < asked:
                    yield asked
                clocks.asked_ns = asked
                iova, now = locked_tree.search(cpu, asked, 0, low)
                if iova is None and low:
                    low = False
                    if rcache:
                        now += clocks.local_ns
                        iova = rcaches.pop_one(cpu, rcache, low)
            left -= 1
            target.append(iova)
            counted.ops += 1
            looked_at = queue.timer_cpu == cpu or target_cpu in queue.runs.of_cpu
            if not left or looked_at or len(target) >= self.most_in_flight:
                return left, now
            if rcache and rcaches.may_pop(cpu, rcache):
                return left, now

    def _map_refused(self, cpu: int, asked: float, left: int, loaded: Iovas) -> Steps:
        """Maps those of ``left`` but the last whose first attempts, from ``asked`` on, are sure to be refused and whose
        second ones a poisoned ``loaded`` serves; how many are left, and when the next one asks for the lock."""
        target = self.in_flight[cpu]
        if not self.domain.locked_tree.tree.refuses(0) or self.queue.timer_cpu == cpu:  # a due timer would come first
            return left, asked
        row = min(left, self.most_in_flight - len(target), len(loaded))
        if row < SHORTEST_ROW:
            return left, asked
        done, asked = yield from self.line.stand(cpu, asked, row - 1)
        if done:
            target += loaded[: -done - 1 : -1]
            del loaded[-done:]
        return left - done, asked
