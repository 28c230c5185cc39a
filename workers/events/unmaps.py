"""Bursts of unmaps: the oldest IOVAs of a CPU go into its ring, or (iommu.strict=1) are flushed and freed at once.

Source: drivers/iommu/dma-iommu.c (5.15), __iommu_dma_unmap(); drivers/iommu/iova.c, queue_iova().
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.events.clocks import Steps, begun_within
from workers.events.flush_queue import FlushQueue
from workers.events.iova import Iovas
from workers.schema import FQ_ENTRIES


class Unmaps:
    """Of one scenario (plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], queue: FlushQueue) -> None:
        self.queue, self.in_flight, self.clocks, self.counted = queue, queue.in_flight, queue.clocks, queue.counted
        self.burst_size, self.strict = scenario["unmap_burst"], scenario["strict"]
        self.unmap_ns, self.strict_ns = scenario["unmap_ns"], scenario["unmap_ns"] + scenario["iotlb_flush_ns"]
        self.each_ns = queue.runs.each_ns
        self.unseen = not self.strict and not queue.shift
        """Whether nobody sees a CPU's list, and so an unmap before it comes to the ring."""

    def unseen_ns(self, cpu: int) -> float:
        """How long a CPU whose burst is due does what no other one can see, unless its timer is due first."""
        return self.unmap_ns if self.unseen and self.queue.timer_cpu != cpu and self.in_flight[cpu] else 0.0

    def burst(self, cpu: int, now: float) -> Steps:
        """Unmaps the CPU's oldest IOVAs; the clock."""
        mine, left = self.in_flight[cpu], self.burst_size
        if self.strict:
            return (yield from self._free_at_once(cpu, now, mine))
        queue, ring = self.queue, self.queue.rings[cpu]
        while left:
            if queue.timer_cpu == cpu:
                now = yield from queue.softirq(cpu, now)
            if not mine:
                break
            first = mine.pop(0)
            now += self.unmap_ns
            asked = now
            now = yield from queue.enter_ring(ring, cpu, now)
            if len(ring.iovas) >= FQ_ENTRIES:
                now = yield from queue.free_ring(ring, cpu, queue.flush(now))
            self.counted.irqs_were_off(now - asked)
            some = min(left, 1 + len(mine), FQ_ENTRIES - len(ring.iovas))
            if queue.timer_cpu == cpu:
                some = min(some, begun_within(queue.timer_due_ns - now, self.each_ns) + 1)
            ring.epoch = queue.epoch
            ring.iovas.append(first)
            ring.iovas += mine[: some - 1]
            del mine[: some - 1]
            queue.arm_timer(cpu, now)
            queue.leave_ring(ring, now)
            self.counted.ops += some
            done, now = yield from self._run(cpu, now, some)
            left -= done
        return now

    def _run(self, cpu: int, now: float, some: int) -> Steps:
        """Passes the time of ``some`` unmaps, all of which are in the ring already; a flush meanwhile takes back those
        that come after it (Runs.cut). How many are done, and the clock."""
        clocks, runs, first_ns = self.clocks, self.queue.runs, now
        clocks.asked_ns = now
        if some == 1:
            return 1, now
        now += (some - 1) * self.each_ns
        asked = now - clocks.local_ns  # the last one, for the ring
        if clocks.heap[0][0] < asked:
            runs.of_cpu[cpu] = first_ns, some
            yield asked
            if runs.of_cpu.pop(cpu, None) is None:
                some = self.queue.rings[cpu].kept
                now = first_ns + (some - 1) * self.each_ns
        clocks.asked_ns = asked
        return some, now

    def _free_at_once(self, cpu: int, now: float, mine: Iovas) -> Steps:
        iovas = mine[: self.burst_size]
        if not iovas:
            return now
        self.counted.ops += len(iovas)
        self.counted.flushes += len(iovas)
        del mine[: len(iovas)]
        return (yield from self.queue.domain.free(cpu, now, iovas, self.strict_ns))
