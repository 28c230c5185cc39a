"""The flush queue of a domain: a ring of every CPU, the unmaps that enter it as one run, and the timer that drains all.

Source: drivers/iommu/iova.c (5.15), queue_iova(), fq_ring_free(), fq_flush_timeout(); kernel/time/timer.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappush
from math import inf
from typing import Any

from workers.events.clocks import NOBODY, Ring, Steps, begun_within
from workers.events.domain import Domain
from workers.hazard import LONG_STAY_S
from workers.jiffies import rearm_jiffies


class FlushQueue(Domain):
    """Of one scenario under one depot (both as plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> None:
        super().__init__(scenario, depot)
        self.scenario = scenario
        self.cpus, self.active = scenario["cpus"], scenario["active_cpus"]
        self.tick_ns = 1e9 / scenario["hz"]
        self.timer_jiffies = int(rearm_jiffies(scenario["hz"]))
        self.unmap_ns = scenario["unmap_ns"]
        self.in_flight: list[list[int]] = [[] for _ in range(self.active)]
        self.rings = [Ring() for _ in range(self.active)]
        self.runs: dict[int, tuple[float, int]] = {}
        """CPUs that gave way in a run of unmaps: when the first of them was in the ring, and how many there are."""
        self.epoch = 0
        self.timer_on = False
        self.timer_cpu = self.running_cpu = self.last_timer_cpu = NOBODY
        self.timer_due_ns = inf
        self.ops = self.flushes = self.drained_locally = self.drained_by_timer = 0
        self.softirq_since_ns: float | None = None
        self.callback_since_ns: float | None = None
        self.callbacks: list[tuple[float, float]] = []
        """(start, duration) of each finished callback, in order."""
        self.stay_max_ns = self.long_stays_ns = 0.0
        self.long_stays = 0

    # --- runs of unmaps ---

    def _done_of_run(self, first_ns: float, by_ns: float) -> int:
        """How many unmaps of a run, or of a longer one, have asked for the ring before ``by_ns``."""
        return begun_within(by_ns - first_ns - self.unmap_ns, self.unmap_ns + self.local_ns) + 1

    def _cut_runs(self, now: float) -> None:
        """Takes back the unmaps of a run that come after a flush at ``now``: the next of them finds its ring drained
        or to be drained."""
        each_ns = self.unmap_ns + self.local_ns
        clocks = {}
        for cpu, (first_ns, some) in self.runs.items():
            kept = self._done_of_run(first_ns, now)
            if kept < some:
                ring = self.rings[cpu]
                self.in_flight[cpu][:0] = ring.iovas[kept - some :]
                del ring.iovas[kept - some :]
                ring.kept = kept
                self.ops -= some - kept
                clocks[cpu] = first_ns + (kept - 1) * each_ns
        if clocks:
            for cpu in clocks:
                del self.runs[cpu]
            self.heap[:] = [(clocks.get(cpu, clock), cpu) for clock, cpu in self.heap]
            heapify(self.heap)

    def still_mapped(self, cpu: int) -> int:
        """IOVAs of a CPU's run that it has not begun to unmap, as the CPU at work sees it: it takes the next one before
        it asks for the ring."""
        first_ns, some = self.runs[cpu]
        return max(some - self._done_of_run(first_ns, self.asked_ns) - 1, 0)

    # --- rings and timer ---

    def _flush(self, now: float) -> float:
        self.epoch += 1
        self.flushes += 1
        self._cut_runs(now)
        return now + self.scenario["iotlb_flush_ns"]

    def _enter_ring(self, ring: Ring, cpu: int, now: float) -> Steps:
        """spin_lock() of a ring, and fq_ring_free() of what a flush came after; the clock."""
        if self.heap[0][0] < now:
            yield now
        if ring.busy:
            ring.waiter = cpu
            yield None
        now = self.enter(ring, cpu, now)
        if ring.iovas and ring.epoch < self.epoch:
            now = yield from self._free_ring(ring, cpu, now)
        return now

    def _leave_ring(self, ring: Ring, now: float) -> None:
        ring.free_ns = now
        if ring.waiter != NOBODY:
            heappush(self.heap, (now + self.handover_ns, ring.waiter))
            ring.waiter = NOBODY

    def _free_ring(self, ring: Ring, cpu: int, now: float) -> Steps:
        """fq_ring_free() of all entries; the ring stays locked meanwhile."""
        iovas, ring.iovas = ring.iovas, []
        ring.busy = True
        if cpu == self.running_cpu:
            self.drained_by_timer += len(iovas)
            now = yield from self.free(cpu, now, iovas, self.scenario["fq_entry_remote_ns"])
        else:
            self.drained_locally += len(iovas)
            now = yield from self.free(cpu, now, iovas, self.scenario["fq_entry_local_ns"])
        ring.busy = False
        return now

    def _arm_timer(self, cpu: int, now: float) -> None:
        """mod_timer(): while its callback runs the timer stays on that CPU."""
        self.timer_on = True
        self.timer_cpu = cpu if self.running_cpu == NOBODY else self.running_cpu
        self.timer_due_ns = (now // self.tick_ns + self.timer_jiffies) * self.tick_ns

    def softirq(self, cpu: int, now: float) -> Steps:
        """__run_timers(): the flush timer, again and again while it is due on this CPU."""
        if now < self.timer_due_ns:
            return now
        since = self.softirq_since_ns = now
        while self.timer_cpu == cpu and now >= self.timer_due_ns:
            if self.heap[0][0] < now:
                yield now
            self.timer_cpu, self.running_cpu = NOBODY, cpu
            started = self.callback_since_ns = now
            now = yield from self._fq_flush_timeout(cpu, now)
            self.callback_since_ns = None
            self.running_cpu, self.last_timer_cpu = NOBODY, cpu
            self.callbacks.append((started, now - started))
            self.stay_max_ns = max(self.stay_max_ns, now - since)
        self.softirq_since_ns = None
        self.asked_ns = now
        if now - since >= LONG_STAY_S * 1e9:
            self.long_stays += 1
            self.long_stays_ns += now - since
        return now

    def _fq_flush_timeout(self, cpu: int, now: float) -> Steps:
        """One flush, then every possible CPU's ring into the rcache of this one."""
        self.timer_on = False
        now = self._flush(now)
        for ring in self.rings:
            asked = now
            now = yield from self._enter_ring(ring, cpu, now)
            self._leave_ring(ring, now)
            self.irqs_were_off(now - asked)
        idle_ns = self.local_ns if self.last_timer_cpu == cpu else self.remote_ns
        return now + (self.cpus - self.active) * idle_ns
