"""Bursts of maps of several sizes, one after the other: from a CPU's own magazines, or from the depot or the tree.

Source: drivers/iommu/dma-iommu.c (5.15), iommu_dma_alloc_iova(); drivers/iommu/iova.c, alloc_iova_fast().
"""

from __future__ import annotations

from math import inf

from workers.events.clocks import Steps
from workers.events.maps import Maps


class MixedMaps(Maps):
    """Of one scenario (plain values by column name)."""

    def at_once(self, cpu: int, now: float) -> tuple[int, float]:
        """None: each is looked at for its size."""
        return self.burst_size, now

    def burst(self, cpu: int, now: float, left: int) -> Steps:
        """Maps ``left`` for the CPU that will unmap them; the clock. One loop, with what ``Maps`` does for a miss
        written out: calls made it a fifth slower."""
        domain, queue, clocks, counted = self.domain, self.queue, self.clocks, self.counted
        rcache_of, rcaches, locked_tree = domain.rcache_of, domain.rcaches, domain.locked_tree
        heap, usable_below, low_first = clocks.heap, rcaches.usable_below, self.low_first
        cached_map_ns, slab_ns = self.cached_map_ns, locked_tree.iova_slab_ns
        target_cpu = (cpu + queue.shift) % len(self.in_flight)
        target, draws = self.in_flight[target_cpu], self.draws.take(left)
        while draws:
            if queue.timer_cpu == cpu:
                now = yield from queue.softirq(cpu, now)
            room = min(self.room(target_cpu), len(draws))
            if room <= 0:
                self.draws.put_back(draws)
                break
            until_ns = queue.timer_due_ns if queue.timer_cpu == cpu else inf
            while room and now < until_ns:
                size_class = draws.pop()
                rcache = rcache_of[size_class]
                iova = None
                if rcache:
                    now += cached_map_ns
                    loaded = rcache.loaded[cpu]
                    if loaded and loaded[-1] < usable_below:
                        iova = loaded.pop()
                        counted.cached_pages -= rcache.pages
                    elif rcaches.may_pop(cpu, rcache):
                        iova = rcaches.pop_one(cpu, rcache, low_first)
                else:
                    now += self.map_ns
                missed, low = iova is None, low_first
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
                    if heap[0][0] < asked:
                        yield asked
                    clocks.asked_ns = asked
                    iova, now = locked_tree.search(cpu, asked, size_class, low)
                    if iova is None and low:
                        low = False
                        if rcache:
                            now += clocks.local_ns
                            iova = rcaches.pop_one(cpu, rcache, low)
                target.append(iova)
                counted.ops += 1
                room -= 1
                if missed and target_cpu in queue.runs.of_cpu:
                    break  # it may have begun meanwhile, or be further on
        return now
