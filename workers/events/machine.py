"""One scenario in virtual time: its parts, and the workload of every CPU.

The rules are those of the reference machine (docs/virtual-time.md). What a CPU does without touching what others share
is one event: a burst's unmaps up to a full ring, a run of maps from its magazines.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappush
from typing import Any

from workers.events.clocks import Clocks, Look, Steps
from workers.events.counters import Counters
from workers.events.domain import Domain
from workers.events.flush_queue import FlushQueue
from workers.events.iova import no_iovas
from workers.events.maps import Maps
from workers.events.mixed_maps import MixedMaps
from workers.events.unmaps import Unmaps
from workers.phases import ALIGNED_SPREAD_NS


class Machine:
    """Of a completed scenario with its depot (plain values by column name); ``phases``: each active CPU's first burst
    as a share of the spread."""

    def __init__(self, scenario: Mapping[str, Any], phases: list[float]) -> None:
        self.counted, self.clocks = Counters(), Clocks(scenario)
        self.domain = Domain(scenario, self.clocks, self.counted)
        self.in_flight = [no_iovas(self.domain.mixed) for _ in range(scenario["active_cpus"])]
        """What each CPU has mapped, the oldest first."""
        self.fill_each, self.low_first = scenario["in_flight"], scenario["dma32_first"]
        self.queue = FlushQueue(scenario, self.domain, self.in_flight)
        self.unmaps = Unmaps(scenario, self.queue)
        self.maps = (MixedMaps if self.domain.mixed else Maps)(scenario, self.queue)
        self.horizon_ns, self.period_ns = self.clocks.horizon_ns, 1e3 * scenario["burst_period_us"]
        spread_ns = ALIGNED_SPREAD_NS if scenario["phase"] == "aligned" else self.period_ns
        self.tasks: dict[int, Steps] = {}
        self.first_ns = [phase * spread_ns for phase in phases]

    def run(self, look: Look | None = None) -> None:
        """Fills, runs to the horizon. ``look``: see Clocks.go."""
        self.fill()
        for cpu, first_ns in enumerate(self.first_ns):
            heappush(self.clocks.heap, (first_ns, cpu))
        self.tasks = {cpu: self._cpu(cpu, first_ns) for cpu, first_ns in enumerate(self.first_ns)}
        self.clocks.go(self.tasks, look)

    def go_on(self, horizon_ns: float) -> None:
        """From one horizon to a later one."""
        self.horizon_ns = horizon_ns
        self.clocks.move_horizon(horizon_ns)
        self.clocks.go(self.tasks)

    def fill(self) -> None:
        """Maps ``in_flight`` IOVAs a CPU, in rounds over the CPUs, before the clocks begin."""
        locked_tree, draws, cpus = self.domain.locked_tree, self.maps.draws, len(self.in_flight)
        size_classes = draws.take(self.fill_each * cpus)
        size_classes.reverse()
        iovas = locked_tree.tree.fill(size_classes, self.low_first)
        for cpu, mine in enumerate(self.in_flight):
            mine += iovas[cpu::cpus]
        draws.take(cpus)  # these numbers are the phases
        locked_tree.lock.last = cpus - 1
        self.counted.nodes_peak = self.counted.nodes

    def _cpu(self, cpu: int, first_ns: float) -> Steps:
        """An active CPU: sleeps until its burst or its timer is due; between two operations a due timer runs first."""
        queue = self.queue
        now, next_ns = 0.0, first_ns
        while True:
            wake_ns = min(next_ns, queue.timer_due_ns) if queue.timer_cpu == cpu else next_ns
            if now < wake_ns or now >= self.horizon_ns:  # one that is behind goes on at once
                now = self.clocks.asked_ns = max(now, wake_ns)
                yield now + self.unmaps.unseen_ns(cpu)
            if queue.timer_cpu == cpu:
                now = yield from queue.softirq(cpu, now)
            if now >= next_ns:
                now = yield from self.unmaps.burst(cpu, now)
                left, now = self.maps.at_once(cpu, now)
                if left > 0:
                    now = yield from self.maps.burst(cpu, now, left)
                next_ns = max(next_ns + self.period_ns, now)
