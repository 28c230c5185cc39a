"""One scenario in virtual time: the workload of every CPU, its ring, the flush timer, and what they counted.

The rules are those of the reference machine (kernel.md, section 3). What a CPU does without touching what others share
is one event: a burst's unmaps up to a full ring, a run of maps from its magazines.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappush
from typing import Any

from workers.events.clocks import Look, Steps, begun_within
from workers.events.maps import Maps
from workers.schema import FQ_ENTRIES
from workers.state import ALIGNED_SPREAD_NS


class Machine(Maps):
    """A completed scenario, its DEPOT_COLUMNS, and each active CPU's first burst as a share of the spread."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any], phases: list[float]) -> None:
        super().__init__(scenario, depot)
        self.phases = phases

    def run(self, look: Look | None = None) -> None:
        """Fills, runs to the horizon. ``look``: see Clocks.go."""
        self._fill()
        spread_ns = ALIGNED_SPREAD_NS if self.scenario["phase"] == "aligned" else self._period_ns
        tasks = {cpu: self._cpu(cpu, self.phases[cpu] * spread_ns) for cpu in range(self.active)}
        for cpu in tasks:
            heappush(self.heap, (self.phases[cpu] * spread_ns, cpu))
        self.go(tasks, self.horizon_ns, look)

    @property
    def _period_ns(self) -> float:
        return 1e3 * self.scenario["burst_period_us"]

    def _fill(self) -> None:
        """Maps ``in_flight`` IOVAs a CPU, in rounds over the CPUs, before the clocks begin."""
        tree, in_flight = self.tree, self.scenario["in_flight"]
        draws = self.draw(in_flight * self.active)
        for _ in range(in_flight):
            for mine in self.in_flight:
                size_class = draws.pop()
                iova = None
                if self.low_first and tree.sizes[size_class] < tree.max32_alloc_size:
                    iova, _ = tree.allocate(size_class, True)
                if iova is None:
                    iova, _ = tree.allocate(size_class, False)
                assert iova is not None  # above 4 GiB there is room
                mine.append(iova)
        self.tree_lock.last = self.active - 1
        self.structs = self.structs_peak = tree.nodes
        tree.inserts = tree.erases = tree.walk_steps = 0

    # --- the workload ---

    def _cpu(self, cpu: int, first_ns: float) -> Steps:
        """An active CPU: sleeps until its burst or its timer is due; between two operations a due timer runs first."""
        period_ns = self._period_ns
        now, next_ns = 0.0, first_ns
        while True:
            wake_ns = min(next_ns, self.timer_due_ns) if self.timer_cpu == cpu else next_ns
            if now < wake_ns or now >= self.horizon_ns:  # one that is behind goes on at once
                now = self.asked_ns = max(now, wake_ns)
                yield now
            if self.timer_cpu == cpu:
                now = yield from self.softirq(cpu, now)
            if now >= next_ns:
                now = yield from self._unmap_burst(cpu, now)
                now = yield from self.map_burst(cpu, now, (cpu + self.scenario["free_cpu_shift"]) % self.active)
                next_ns = max(next_ns + period_ns, now)

    def _unmap_burst(self, cpu: int, now: float) -> Steps:
        """Unmaps the CPU's oldest IOVAs: into its ring, or (strict) flushed and freed at once."""
        mine, unmap_ns = self.in_flight[cpu], self.unmap_ns
        left = self.scenario["unmap_burst"]
        if self.scenario["strict"]:
            left = min(left, len(mine))
            if not left:
                return now
            self.ops += left
            self.flushes += left
            iovas = mine[:left]
            del mine[:left]
            return (yield from self.free(cpu, now, iovas, unmap_ns + self.scenario["iotlb_flush_ns"]))
        ring = self.rings[cpu]
        each_ns = unmap_ns + self.local_ns
        while left:
            if self.timer_cpu == cpu:
                now = yield from self.softirq(cpu, now)
            if not mine:
                break
            first = mine.pop(0)
            now += unmap_ns
            asked = now
            now = yield from self._enter_ring(ring, cpu, now)
            if len(ring.iovas) >= FQ_ENTRIES:
                now = yield from self._free_ring(ring, cpu, self._flush(now))
            self.irqs_were_off(now - asked)
            some = min(left, 1 + len(mine), FQ_ENTRIES - len(ring.iovas))
            if self.timer_cpu == cpu:
                some = min(some, begun_within(self.timer_due_ns - now, each_ns) + 1)
            ring.epoch = self.epoch
            ring.iovas += [first, *mine[: some - 1]]
            del mine[: some - 1]
            if not self.timer_on:
                self._arm_timer(cpu, now)
            self._leave_ring(ring, now)
            self.ops += some
            left -= some
            first_ns = self.asked_ns = now
            now += (some - 1) * each_ns
            if some > 1:
                asked = now - self.local_ns  # the last one, for the ring
                if self.heap[0][0] < asked:
                    self.runs[cpu] = first_ns, some
                    yield asked
                    if self.runs.pop(cpu, None) is None:
                        left += some - ring.kept
                        now = first_ns + (ring.kept - 1) * each_ns
                self.asked_ns = asked
        return now
