"""One scenario on the reference machine: the workload, the softirq that runs the flush timer, and what they counted."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from workers.hazard import LONG_STAY_S, log_beyond
from workers.reference.clocks import VirtualTime
from workers.reference.flush_queue import DmaDomain
from workers.reference.kernels import KERNELS, with_policy
from workers.reference.locks import NOBODY, RBTREE, Steps, run_alone
from workers.results import softirq_columns
from workers.schema import COST_COLUMNS, parse_iova_pages

LIMIT_48BIT = (1 << 36) - 1
ALIGNED_SPREAD_NS = 10e3
U64 = (1 << 64) - 1


class Random:
    """xorshift64 (Marsaglia 2003), seeded as the reference machine is, so that both draw the same numbers."""

    def __init__(self, seed: int) -> None:
        self.state = 88172645463325252 ^ ((seed * 7919 + 1) * 2654435761 & U64)
        for _ in range(10):
            self.uniform()

    def uniform(self) -> float:
        """The next number in [0, 1), of 53 bits."""
        x = self.state
        x ^= x << 13 & U64
        x ^= x >> 7
        x ^= x << 17 & U64
        self.state = x
        return (x >> 11) * 2.0**-53


class Machine:
    """A completed scenario with its DEPOT_COLUMNS (both as plain values by name), ready to run once."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> None:
        costs = {c.name: scenario[c.name] for c in COST_COLUMNS}
        self.scenario = scenario
        self.cpus, self.active = scenario["cpus"], scenario["active_cpus"]
        self.kernel = with_policy(KERNELS["5.15"], depot)
        self.engine = VirtualTime(self.cpus, scenario["hz"], costs, self.kernel.trim_period_ms)
        self.domain = DmaDomain(self.kernel, self.engine, self.cpus, costs=costs, pci=scenario["dma32_first"])
        self.domain.trim_threshold = depot["trim_threshold"]
        self.random = Random(scenario["seed"])
        self.sizes, weights = parse_iova_pages(scenario["iova_pages"])
        self.bounds = list(accumulate(weights))[:-1]
        self.even = len(set(weights)) == 1
        self.in_flight: list[deque[tuple[int, int]]] = [deque() for _ in range(self.cpus)]
        self.ops = self.failures = 0
        self.softirq_since = self.callback_since = -1.0
        self.callbacks: list[tuple[float, float]] = []
        """(start_ns, duration_ns) of each finished callback, in order."""
        self.stay_max_ns = self.long_stays_ns = self.long_stays_log_s = 0.0
        self.long_stays = 0

    def run(self) -> dict[str, Any]:
        """Fills, runs to the horizon; what ``workers.results.finish`` needs of one row."""
        self._fill()
        engine = self.engine
        engine.horizon_ns = self.scenario["horizon_s"] * 1e3 * 1e6
        for cpu in range(1, self.active):
            engine.push(cpu)
        last = engine.run(self._task, 0)
        return self._counted(min(engine.clock[last], engine.horizon_ns))

    def _fill(self) -> None:
        """Maps ``in_flight`` IOVAs a CPU, in rounds over the CPUs, before the clocks begin."""
        domain, engine = self.domain, self.engine
        for _ in range(self.scenario["in_flight"]):
            for cpu in range(self.active):
                pages = self._draw_pages()
                self.in_flight[cpu].append((run_alone(domain.iommu_dma_alloc_iova(cpu, pages, LIMIT_48BIT)), pages))
        engine.reset_counters()
        for lock in (domain.rbtree_lock, *(r.lock for r in domain.rcaches)):
            lock.free_at = 0.0
        domain.rb_prev = domain.rb_erase = domain.rb_insert = domain.flushes = 0

    def _draw_pages(self) -> int:
        if len(self.sizes) == 1:
            return self.sizes[0]
        u = self.random.uniform()
        return self.sizes[int(u * len(self.sizes)) if self.even else bisect(self.bounds, u)]

    def _task(self, cpu: int) -> Steps:
        if cpu == self.engine.worker:
            return self.engine.work_loop(self.domain.depot_work)
        return self._cpu_loop(cpu)

    def _cpu_loop(self, cpu: int) -> Steps:
        """One active CPU: sleeps until its burst or its timer is due; between two operations a due timer runs first."""
        scenario, engine, clock = self.scenario, self.engine, self.engine.clock
        period_ns = scenario["burst_period_us"] * 1000
        next_ns = clock[cpu] + self.random.uniform() * (
            period_ns if scenario["phase"] == "random" else ALIGNED_SPREAD_NS
        )
        while True:
            wake_ns = next_ns
            if engine.timer_cpu == cpu:
                wake_ns = min(wake_ns, engine.timer_expires * engine.tick_ns)
            if clock[cpu] < wake_ns:
                clock[cpu] = wake_ns
                if engine.give_way(cpu):
                    yield
                engine.check_horizon(cpu)
            if engine.timer_cpu == cpu:
                yield from self._softirq(cpu)
            if clock[cpu] >= next_ns:
                yield from self._unmap_burst(cpu)
                yield from self._map_burst(cpu)
                next_ns = max(next_ns + period_ns, clock[cpu])

    def _unmap_burst(self, cpu: int) -> Steps:
        """Unmaps the CPU's oldest IOVAs: into its ring, or (strict) flushed and freed at once."""
        engine, domain, clock = self.engine, self.domain, self.engine.clock
        unmap_ns, strict = self.scenario["unmap_ns"], self.scenario["strict"]
        mine, queue_iova = self.in_flight[cpu], domain.queue_iova
        for _ in range(self.scenario["unmap_burst"]):
            if engine.timer_cpu == cpu:
                yield from self._softirq(cpu)
            if not mine:
                break
            pfn, pages = mine.popleft()
            clock[cpu] += unmap_ns
            if pfn:
                if strict:
                    domain.flush_iotlb(cpu)
                    rest = domain.free_iova_fast(cpu, pfn, pages)
                    if rest is not None:
                        yield from rest
                else:
                    yield from queue_iova(cpu, pfn, pages)
            self.ops += 1

    def _map_burst(self, cpu: int) -> Steps:
        """Maps as many again, for the CPU that will unmap them."""
        engine, clock = self.engine, self.engine.clock
        map_ns, alloc = self.scenario["map_ns"], self.domain.iommu_dma_alloc_iova
        target = self.in_flight[(cpu + self.scenario["free_cpu_shift"]) % self.active]
        most = 2 * self.scenario["in_flight"]
        for _ in range(self.scenario["unmap_burst"]):
            if engine.timer_cpu == cpu:
                yield from self._softirq(cpu)
            if len(target) >= most:
                break
            clock[cpu] += map_ns
            pages = self._draw_pages()
            pfn: Any = alloc(cpu, pages, LIMIT_48BIT)
            if pfn.__class__ is not int:
                pfn = yield from pfn
            if not pfn:
                self.failures += 1
            target.append((pfn, pages))
            self.ops += 1

    def _softirq(self, cpu: int) -> Steps:
        """__run_timers(): the flush timer, again and again while it is due on this CPU."""
        engine, domain, clock = self.engine, self.domain, self.engine.clock
        if not engine.timer_due(cpu):
            return
        since = self.softirq_since = clock[cpu]
        while engine.timer_due(cpu):
            if engine.give_way(cpu):
                yield
            engine.check_horizon(cpu)
            engine.timer_cpu = NOBODY
            engine.running_cpu = domain.timer_cpu = cpu
            started = self.callback_since = clock[cpu]
            yield from domain.fq_flush_timeout(cpu)
            self.callback_since = -1.0
            engine.running_cpu = domain.timer_cpu = NOBODY
            self.callbacks.append((started, clock[cpu] - started))
            self.stay_max_ns = max(self.stay_max_ns, clock[cpu] - since)
        self.softirq_since = -1.0
        if clock[cpu] - since >= LONG_STAY_S * 1e9:
            self.long_stays += 1
            self.long_stays_ns += clock[cpu] - since
            self.long_stays_log_s += float(log_beyond((clock[cpu] - since) / 1e9))

    def _counted(self, now_ns: float) -> dict[str, Any]:
        """The row of counters at ``now_ns``, for ``workers.results.finish``."""
        engine, domain = self.engine, self.domain
        durations = [duration for _, duration in self.callbacks]
        unfinished_ns = now_ns - self.callback_since if self.callback_since >= 0 else 0.0
        stay_ns = now_ns - self.softirq_since if self.softirq_since >= 0 else 0.0
        waits = engine.acquired[RBTREE]
        surplus = max(r.peak for r in domain.rcaches) - domain.trim_threshold
        return softirq_columns(durations, unfinished_ns, self.stay_max_ns, stay_ns) | {
            "long_stays": self.long_stays,
            "long_stays_ms": self.long_stays_ns / 1e6,
            "long_stays_log_s": self.long_stays_log_s,
            "last_stay_ms": max(stay_ns, 0.0) / 1e6,
            "simulated_ms": now_ns / 1e6,
            "irqs_off_max_ms": engine.irqs_off_max_ns / 1e6,
            "rbtree_lock_held_fraction": engine.rbtree_held_ns / now_ns,
            "rbtree_lock_acquisitions": waits,
            "rbtree_lock_wait_mean_us": engine.rbtree_wait_ns / waits / 1e3 if waits else 0.0,
            "rbtree_lock_wait_max_us": engine.rbtree_wait_max_ns / 1e3,
            "rbtree_erases": domain.rb_erase,
            "rbtree_inserts": domain.rb_insert,
            "rbtree_walk_steps": domain.rb_prev,
            "ops_completed": self.ops,
            "map_failures": self.failures,
            "iovas_drained_by_timer": domain.drained_by_timer,
            "iovas_drained_locally": domain.drained_locally,
            "iotlb_flushes": domain.flushes,
            "magazines_peak": domain.mag_peak,
            "depot_magazines_peak": domain.depot_peak,
            "depot_magazines_end": domain.depot_magazines,
            "depot_surplus_largest_bin": max(surplus, 0),
            "iova_nodes_peak": domain.iova_peak,
            "iova_nodes_end": domain.iova_live,
            "iova_space_cached_peak_pages": domain.cached_pages_peak,
        }


def simulate(scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> dict[str, Any]:
    """The counters of one completed scenario under the depot of its DEPOT_COLUMNS."""
    return Machine(scenario, depot).run()
