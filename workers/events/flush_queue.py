"""The flush queue of a domain: a ring of every CPU, and the timer that drains all.

Source: drivers/iommu/iova.c (5.15), queue_iova(), fq_ring_free(), fq_flush_timeout(); kernel/time/timer.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappush
from math import inf
from typing import Any

from workers.events.clocks import NOBODY, Ring, Steps
from workers.events.domain import Domain
from workers.events.iova import Iovas, no_iovas
from workers.events.runs import Runs
from workers.jiffies import rearm_jiffies


class FlushQueue:
    """Of one scenario (plain values by column name); ``in_flight``: what each active CPU has mapped."""

    def __init__(self, scenario: Mapping[str, Any], domain: Domain, in_flight: list[Iovas]) -> None:
        self.domain, self.clocks, self.counted = domain, domain.clocks, domain.counted
        self.in_flight = in_flight
        self.shift = scenario["free_cpu_shift"] % len(in_flight)
        """How many CPUs further on is the one that unmaps what a CPU maps."""
        self.rings = [Ring(no_iovas(domain.mixed)) for _ in in_flight]
        self.runs = Runs(scenario["unmap_ns"], in_flight, self.rings, self.clocks, self.counted)
        self.idle = scenario["cpus"] - scenario["active_cpus"]
        self.flush_ns = scenario["iotlb_flush_ns"]
        self.entry_local_ns, self.entry_remote_ns = scenario["fq_entry_local_ns"], scenario["fq_entry_remote_ns"]
        self.tick_ns = 1e9 / scenario["hz"]
        self.timer_jiffies = int(rearm_jiffies(scenario["hz"]))
        self.epoch = 0
        """Flushes that began; to others each is done from its beginning."""
        self.timer_on = False
        self.timer_cpu = self.running_cpu = self.last_timer_cpu = NOBODY
        self.timer_due_ns = inf
        self.softirq_since_ns: float | None = None
        self.callback_since_ns: float | None = None

    # --- rings ---

    def flush(self, now: float) -> float:
        """iova_domain_flush(); the clock."""
        self.epoch += 1
        self.counted.flushes += 1
        self.runs.cut(now)
        return now + self.flush_ns

    def enter_ring(self, ring: Ring, cpu: int, now: float) -> Steps:
        """spin_lock() of a ring, and fq_ring_free() of what a flush came after; the clock."""
        if self.clocks.heap[0][0] < now:
            yield now
        if ring.busy:
            ring.waiter = cpu
            yield None
        now = self.clocks.enter(ring, cpu, now)
        if ring.iovas and ring.epoch < self.epoch:
            now = yield from self.free_ring(ring, cpu, now)
        return now

    def leave_ring(self, ring: Ring, now: float) -> None:
        """spin_unlock()."""
        ring.free_ns = now
        if ring.waiter != NOBODY:
            heappush(self.clocks.heap, (now + self.clocks.handover_ns, ring.waiter))
            ring.waiter = NOBODY

    def free_ring(self, ring: Ring, cpu: int, now: float) -> Steps:
        """fq_ring_free() of all entries; the ring stays locked meanwhile."""
        iovas, ring.iovas = ring.iovas, ring.iovas[:0]
        ring.busy = True
        if cpu == self.running_cpu:
            self.counted.drained_by_timer += len(iovas)
            now = yield from self.domain.free(cpu, now, iovas, self.entry_remote_ns)
        else:
            self.counted.drained_locally += len(iovas)
            now = yield from self.domain.free(cpu, now, iovas, self.entry_local_ns)
        ring.busy = False
        return now

    # --- timer ---

    def arm_timer(self, cpu: int, now: float) -> None:
        """mod_timer(), if nobody did since the last callback began: while that runs the timer stays on its CPU."""
        if not self.timer_on:
            self.timer_on = True
            self.timer_cpu = cpu if self.running_cpu == NOBODY else self.running_cpu
            self.timer_due_ns = (now // self.tick_ns + self.timer_jiffies) * self.tick_ns

    def softirq(self, cpu: int, now: float) -> Steps:
        """__run_timers(): the flush timer, again and again while it is due on this CPU."""
        if now < self.timer_due_ns:
            return now
        counted = self.counted
        since = self.softirq_since_ns = now
        while self.timer_cpu == cpu and now >= self.timer_due_ns:
            if self.clocks.heap[0][0] < now:
                yield now
            self.timer_cpu, self.running_cpu = NOBODY, cpu
            started = self.callback_since_ns = now
            now = yield from self._fq_flush_timeout(cpu, now)
            self.callback_since_ns = None
            self.running_cpu, self.last_timer_cpu = NOBODY, cpu
            counted.callbacks_ns.append(now - started)
            counted.stay_max_ns = max(counted.stay_max_ns, now - since)
        self.softirq_since_ns = None
        self.clocks.asked_ns = now
        counted.stay_ended(now - since)
        return now

    def _fq_flush_timeout(self, cpu: int, now: float) -> Steps:
        """One flush, then every possible CPU's ring into the rcache of this one."""
        self.timer_on = False
        now = self.flush(now)
        for ring in self.rings:
            asked = now
            now = yield from self.enter_ring(ring, cpu, now)
            self.leave_ring(ring, now)
            self.counted.irqs_were_off(now - asked)
        idle_ns = self.clocks.local_ns if self.last_timer_cpu == cpu else self.clocks.remote_ns
        if self.idle:
            now += (self.idle - 1) * idle_ns  # asks for the last of them: who queues until then leaves the timer here
            if self.clocks.heap[0][0] < now:
                yield now
            now += idle_ns
        return now
