"""Bursts of maps: rows of them from a CPU's own magazines, and rows that miss there and go to the tree.

Source: drivers/iommu/dma-iommu.c (5.15), iommu_dma_alloc_iova(); drivers/iommu/iova.c, alloc_iova_fast().
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import inf
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
        self.alone = not self.domain.mixed and not queue.shift
        """Whether rows of maps are one step: of one size (of several, rows are short), and where no other CPU sees the
        list that this one maps for."""
        self.low_first = scenario["dma32_first"]
        self.map_ns, self.cached_map_ns = scenario["map_ns"], scenario["map_ns"] + self.clocks.local_ns
        self.line = Line(scenario, self.cached_map_ns, self.domain)
        self.most_in_flight = 2 * scenario["in_flight"]

    def at_once(self, cpu: int, now: float) -> tuple[int, float]:
        """Maps those of a burst that a CPU's own magazines serve, of one size and while no timer may come in between;
        how many are left, and the clock."""
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

    def burst(self, cpu: int, now: float, number: int) -> Steps:
        """Maps ``number`` for the CPU that will unmap them; the clock."""
        queue, target_cpu = self.queue, (cpu + self.queue.shift) % len(self.in_flight)
        target, draws = self.in_flight[target_cpu], self.draws.take(number)
        while draws:
            if queue.timer_cpu == cpu:
                now = yield from queue.softirq(cpu, now)
            room = self.most_in_flight - len(target)
            if target_cpu in queue.runs.of_cpu:
                room -= queue.runs.still_mapped(target_cpu)
            if room <= 0:
                self.draws.put_back(draws)
                break
            iovas, now = self._map_cached(cpu, now, draws, room)
            if iovas:
                target.extend(iovas)
                self.counted.ops += len(iovas)
                del draws[-len(iovas) :]
            else:
                now = yield from self._map_missed(cpu, now, draws, target_cpu)
        return now

    def _map_cached(self, cpu: int, now: float, draws: bytearray, room: int) -> tuple[Iovas, float]:
        """The next of ``draws``, up to ``room``, as long as the CPU's own magazines serve them and its timer is not
        due; its clock."""
        each_ns, queue, rcache_of, rcaches = self.cached_map_ns, self.queue, self.domain.rcache_of, self.domain.rcaches
        until_ns = queue.timer_due_ns if queue.timer_cpu == cpu else inf
        if not self.domain.mixed:
            rcache = rcache_of[0]
            if not rcache:
                return no_iovas(False), now
            most = min(room, len(draws), begun_within(until_ns - now, each_ns))
            iovas = rcaches.pop(cpu, rcache, most, self.low_first)
            return iovas, now + len(iovas) * each_ns
        iovas, usable_below, counted = no_iovas(True), rcaches.usable_below, self.counted
        for size_class in islice(reversed(draws), room):
            rcache = rcache_of[size_class]
            if not rcache or now >= until_ns:
                break
            loaded = rcache.loaded[cpu]
            if loaded and loaded[-1] < usable_below:  # as pop_one, written out: a call costs a tenth of such loads
                iovas.append(loaded.pop())
                counted.cached_pages -= rcache.pages
            else:
                found = rcaches.pop(cpu, rcache, 1, self.low_first)
                if not found:
                    break
                iovas += found
            now += each_ns
        return iovas, now

    def _map_missed(self, cpu: int, now: float, draws: bytearray, target_cpu: int) -> Steps:
        """The first of ``draws``, which the CPU's magazines did not serve, and those after it that they do not serve
        either, while nothing has to be looked at in between; the clock."""
        target, heap, clocks, counted = self.in_flight[target_cpu], self.clocks.heap, self.clocks, self.counted
        domain, rcaches, locked_tree, queue = self.domain, self.domain.rcaches, self.domain.locked_tree, self.queue
        low_first, slab_ns, in_rows = self.low_first, locked_tree.iova_slab_ns, self.alone
        while True:
            size_class = draws[-1]
            rcache = domain.rcache_of[size_class]
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
                    asked = yield from self._map_refused(cpu, asked, draws, rcache.loaded[cpu])
                if heap[0][0] < asked:
                    yield asked
                clocks.asked_ns = asked
                iova, now = locked_tree.search(cpu, asked, size_class, low)
                if iova is None and low:
                    low = False
                    if rcache:
                        now += clocks.local_ns
                        iova = rcaches.pop_one(cpu, rcache, low)
            draws.pop()
            target.append(iova)
            counted.ops += 1
            looked_at = queue.timer_cpu == cpu or target_cpu in queue.runs.of_cpu
            if not draws or looked_at or len(target) >= self.most_in_flight:
                return now
            rcache = domain.rcache_of[draws[-1]]
            if rcache and rcaches.may_pop(cpu, rcache):
                return now

    def _map_refused(self, cpu: int, asked: float, draws: bytearray, loaded: Iovas) -> Steps:
        """Maps, of one size, those of ``draws`` but the last whose first attempts, from ``asked`` on, are sure to be
        refused and whose second ones a poisoned ``loaded`` serves; when that last one asks for the lock."""
        target = self.in_flight[cpu]
        if not self.domain.locked_tree.refuses(0) or self.queue.timer_cpu == cpu:  # a due timer would come first
            return asked
        row = min(len(draws), self.most_in_flight - len(target), len(loaded))
        if row < SHORTEST_ROW:
            return asked
        done, asked = yield from self.line.stand(cpu, asked, row - 1)
        if done:
            target += loaded[: -done - 1 : -1]
            del loaded[-done:], draws[-done:]
        return asked
