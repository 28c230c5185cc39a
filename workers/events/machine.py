"""One scenario in virtual time: the workload of every CPU, its ring, the flush timer, and what they counted.

The rules are those of the reference machine (kernel.md, section 3). What a CPU does without touching what others share
is one event: a burst's unmaps up to a full ring, a run of maps from its magazines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heapify, heappush
from itertools import islice
from math import ceil, inf
from random import Random
from typing import Any

from workers.events.clocks import NOBODY, Ring, Steps
from workers.events.counters import counters
from workers.events.domain import Domain, Rcache
from workers.hazard import LONG_STAY_S
from workers.results import rearm_jiffies
from workers.schema import FQ_SLOTS
from workers.state import ALIGNED_SPREAD_NS


class Machine(Domain):
    """A completed scenario, its DEPOT_COLUMNS, and each active CPU's first burst as a share of the spread."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any], phases: list[float]) -> None:
        super().__init__(scenario, depot)
        self.scenario, self.phases = scenario, phases
        self.cpus, self.active = scenario["cpus"], scenario["active_cpus"]
        self.tick_ns = 1e9 / scenario["hz"]
        self.timer_jiffies = int(rearm_jiffies(scenario["hz"]))
        self.horizon_ns = 1e9 * scenario["horizon_s"]
        self.random = Random(scenario["seed"])
        self.in_flight: list[list[int]] = [[] for _ in range(self.active)]
        self.unmap_ns, self.cached_map_ns = scenario["unmap_ns"], self.map_ns + self.local_ns
        self.rings = [Ring() for _ in range(self.active)]
        self.runs: dict[int, tuple[float, int]] = {}
        """CPUs that gave way after a run of unmaps: when the first of them was in the ring, and how many there are."""
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

    def run(self, look: Callable[[float], float] | None = None) -> dict[str, Any]:
        """Fills, runs to the horizon; what ``workers.results.finish`` needs of one row. ``look``: see Clocks.go."""
        self._fill()
        spread_ns = ALIGNED_SPREAD_NS if self.scenario["phase"] == "aligned" else self._period_ns
        tasks = {cpu: self._cpu(cpu, self.phases[cpu] * spread_ns) for cpu in range(self.active)}
        for cpu in tasks:
            heappush(self.heap, (self.phases[cpu] * spread_ns, cpu))
        self.go(tasks, self.depot_work, self.horizon_ns, look)
        return counters(self)

    @property
    def _period_ns(self) -> float:
        return 1e3 * self.scenario["burst_period_us"]

    def _fill(self) -> None:
        """Maps ``in_flight`` IOVAs a CPU, in rounds over the CPUs, before the clocks begin."""
        tree = self.tree
        for _ in range(self.scenario["in_flight"]):
            for mine in self.in_flight:
                size_class = self._draw(1)[0]
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

    def _draw(self, number: int) -> list[int]:
        """Size classes of ``number`` maps, the first one last."""
        return self.random.choices(self.classes, self.weights, k=number)[::-1] if self.mixed else [0] * number

    # --- the workload ---

    def _cpu(self, cpu: int, first_ns: float) -> Steps:
        """An active CPU: sleeps until its burst or its timer is due; between two operations a due timer runs first."""
        period_ns = self._period_ns
        now, next_ns = 0.0, first_ns
        while True:
            wake_ns = min(next_ns, self.timer_due_ns) if self.timer_cpu == cpu else next_ns
            if now < wake_ns:
                now = wake_ns
            yield now
            if self.timer_cpu == cpu:
                now = yield from self._softirq(cpu, now)
            if now >= next_ns:
                now = yield from self._unmap_burst(cpu, now)
                now = yield from self._map_burst(cpu, now)
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
                now = yield from self._softirq(cpu, now)
            if not mine:
                break
            now += unmap_ns
            if self.heap[0][0] < now:
                yield now
            asked = now
            now = yield from self._enter_ring(ring, cpu, now)
            if ring.iovas and ring.epoch < self.epoch:
                now = yield from self._free_ring(ring, cpu, now)
            if len(ring.iovas) >= FQ_SLOTS:
                now = yield from self._free_ring(ring, cpu, self._flush(now))
            self.irqs_were_off(now - asked)
            some = min(left, len(mine), FQ_SLOTS - len(ring.iovas))
            if self.timer_cpu == cpu:
                some = min(some, max(ceil((self.timer_due_ns - now) / each_ns), 0) + 1)
            ring.epoch = self.epoch
            ring.iovas += mine[:some]
            del mine[:some]
            if not self.timer_on:
                self._arm_timer(cpu, now)
            self._leave_ring(ring, now)
            self.ops += some
            left -= some
            first_ns = now
            now += (some - 1) * each_ns
            if self.heap[0][0] < now:
                self.runs[cpu] = first_ns, some
                yield now
                if self.runs.pop(cpu, None) is None:
                    left += some - ring.kept
                    now = first_ns + (ring.kept - 1) * each_ns
        return now

    def _cut_runs(self, now: float) -> None:
        """Takes back the unmaps of a run that come after a flush at ``now``: the next of them finds its ring drained
        or to be drained."""
        each_ns = self.unmap_ns + self.local_ns
        clocks = {}
        for cpu, (first_ns, some) in self.runs.items():
            kept = max(ceil((now - first_ns - self.unmap_ns) / each_ns), 0) + 1
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

    def _map_burst(self, cpu: int, now: float) -> Steps:
        """Maps as many again, for the CPU that will unmap them; a run from the magazines is one event, a miss too."""
        target = self.in_flight[(cpu + self.scenario["free_cpu_shift"]) % self.active]
        most = 2 * self.scenario["in_flight"]
        draws = self._draw(self.scenario["unmap_burst"])
        while draws:
            if self.timer_cpu == cpu:
                now = yield from self._softirq(cpu, now)
            room = most - len(target)
            if room <= 0:
                break
            rcache = self.rcache_of[draws[-1]]
            iovas: list[int] = []
            if rcache:
                iovas, now = self._map_cached(cpu, now, rcache, draws, room)
            if not iovas:
                now += self.cached_map_ns if rcache else self.map_ns
                iova, now = yield from self.map_missed(cpu, now, draws[-1])
                iovas = [iova]
            target.extend(iovas)
            self.ops += len(iovas)
            del draws[-len(iovas) :]
        return now

    def _map_cached(self, cpu: int, now: float, rcache: Rcache, draws: list[int], room: int) -> tuple[list[int], float]:
        """The next of ``draws``, up to ``room``, as long as the CPU's own magazines serve them and its timer is not
        due; its clock. ``rcache``: of the first one's size."""
        each_ns = self.cached_map_ns
        until_ns = self.timer_due_ns if self.timer_cpu == cpu else inf
        loaded = rcache.loaded[cpu]
        if not self.mixed or not loaded or loaded[-1] >= self.usable_below:
            most = 1 if self.mixed else min(room, len(draws))
            if until_ns < inf:
                most = min(most, ceil((until_ns - now) / each_ns))
            iovas = self.pop(cpu, rcache, most, self.low_first)
            return iovas, now + len(iovas) * each_ns
        iovas = []
        tops = [other.loaded[cpu] if other else [] for other in self.rcache_of]
        for size_class in islice(reversed(draws), room):
            loaded = tops[size_class]
            if not loaded or loaded[-1] >= self.usable_below or now >= until_ns:
                break
            iovas.append(loaded.pop())
            self.cached_pages -= self.tree.sizes[size_class]
            now += each_ns
        return iovas, now

    # --- rings and timer ---

    def _flush(self, now: float) -> float:
        self.epoch += 1
        self.flushes += 1
        self._cut_runs(now)
        return now + self.scenario["iotlb_flush_ns"]

    def _enter_ring(self, ring: Ring, cpu: int, now: float) -> Steps:
        if ring.busy:
            ring.waiter = cpu
            yield None
        return self.enter(ring, cpu, now)

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

    def _softirq(self, cpu: int, now: float) -> Steps:
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
        if now - since >= LONG_STAY_S * 1e9:
            self.long_stays += 1
            self.long_stays_ns += now - since
        return now

    def _fq_flush_timeout(self, cpu: int, now: float) -> Steps:
        """One flush, then every possible CPU's ring into the rcache of this one."""
        self.timer_on = False
        now = self._flush(now)
        for ring in self.rings:
            if self.heap[0][0] < now:
                yield now
            asked = now
            now = yield from self._enter_ring(ring, cpu, now)
            if ring.iovas and ring.epoch < self.epoch:
                now = yield from self._free_ring(ring, cpu, now)
            self._leave_ring(ring, now)
            self.irqs_were_off(now - asked)
        idle_ns = self.local_ns if self.last_timer_cpu == cpu else self.remote_ns
        return now + (self.cpus - self.active) * idle_ns
