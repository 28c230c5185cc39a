# ruff: noqa: E501  (a rule and its wrong twin side by side)
"""The recordings have teeth: each deliberately wrong rule changes an answer or a count.

A mutant is one replacement in one file's source; the package is then executed anew from the changed source.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.workers.reference import recorded
from workers.reference.kernels import KERNELS
from workers.reference.policies import depot_columns
from workers.tables import complete_columns, complete_row

PACKAGE = "workers.reference"
SOURCES = Path(importlib.util.find_spec(PACKAGE).origin).parent

REPLAY_MUTANTS = {
    "pop takes the hole, not the entry": ("rcache", "pfn, mag[i] = mag[i], mag[-1]", "pfn, mag[i] = mag[-1], mag[-1]"),
    "pop keeps the order": ("rcache", "pfn, mag[i] = mag[i], mag[-1]\n                mag.pop()", "pfn = mag.pop(i)"),
    "pop scans from the bottom": ("rcache", "range(len(mag) - 1, -1, -1)", "range(len(mag))"),
    "pop's limit is off by one": ("rcache", "(limit_pfn + 1 - size) & U64", "(limit_pfn - size) & U64"),
    "pop checks no limit": ("rcache", "if pfn <= limit_pfn:\n            self", "if True:\n            self"),
    "insert forgets the swap": (
        "rcache",
        "            cpu_rcache.prev, cpu_rcache.loaded = cpu_rcache.loaded, mag\n        mag.append",
        "        mag.append",
    ),
    "get forgets the swap": (
        "rcache",
        "            cpu_rcache.prev, cpu_rcache.loaded = cpu_rcache.loaded, mag\n        pfn = mag",
        "        pfn = mag",
    ),
    "get tries the other magazine too": ("rcache", "if not mag:\n            mag = cpu_rcache.prev\n            if not mag", "if not mag or mag[-1] > limit_pfn:\n            mag = cpu_rcache.prev\n            if not mag"),
    "the older magazine goes to the depot": (
        "rcache",
        "rcache.depot.append(cpu_rcache.loaded)",
        "rcache.depot.append(cpu_rcache.prev)\n            cpu_rcache.prev = cpu_rcache.loaded",
    ),
    "a magazine holds one pfn less": ("rcache", "self.mag_pfns = kernel.magazine_pfns", "self.mag_pfns = kernel.magazine_pfns - 1"),
    "the depot is a queue": ("rcache", "cpu_rcache.loaded = rcache.depot.pop()", "cpu_rcache.loaded = rcache.depot.pop(0)"),
    "the depot holds one more": ("rcache", "if len(rcache.depot) < self", "if len(rcache.depot) <= self"),
    "the overflow frees the older magazine": (
        "rcache",
        "overflow = cpu_rcache.loaded",
        "overflow, cpu_rcache.prev = cpu_rcache.prev, cpu_rcache.loaded",
    ),
    "a failed magazine drops the pfn": ("rcache", "yield from self._free_iova(cpu, pfn)\n            return", "return"),
    "the depot is not asked when empty": ("rcache", "        while not self.acquire(rcache.lock, cpu):\n            yield\n        pfn = 0", "        if not rcache.depot:\n            return 0\n        while not self.acquire(rcache.lock, cpu):\n            yield\n        pfn = 0"),
    "a walk may start below start_pfn": ("iova", "high_pfn, low_pfn = limit_pfn, self.start_pfn", "high_pfn, low_pfn = limit_pfn, 0"),
    "the gap is not aligned": ("iova", "align_mask = U64 & -(1 << order_base_2(size))", "align_mask = U64"),
    "the limit is exclusive": ("iova", "size, limit_pfn + 1, new", "size, limit_pfn, new"),
    "no retry from the top": ("iova", "retry_pfn < limit_pfn:", "False:"),
    "the retry never wraps": ("iova", "(node.hi + self.kernel.retry_wraps) & U64", "node.hi + self.kernel.retry_wraps"),
    "the retry goes down to the bottom": ("iova", "low_pfn = retry_pfn + (not self.kernel.retry_wraps)", "low_pfn, retry_pfn = self.start_pfn, limit_pfn"),
    "a failure is not remembered": ("iova", "self.max32_alloc_size = size\n", "pass\n"),
    "failures beyond the first size only": ("iova", "size >= self.max32_alloc_size", "size > self.max32_alloc_size"),
    "no reset when the cached node moves": ("iova", "            self.rb_next += 1\n            self.max32_alloc_size = PFNS_BELOW_4G\n", "            self.rb_next += 1\n"),
    "cached32 stays when a lower node goes": ("iova", "node is self.cached32 or (node.hi < PFNS_BELOW_4G and node.lo >= self.cached32.lo)", "node is self.cached32"),
    "cached32 is not the new node": ("iova", "            self.cached32 = new\n", "            pass\n"),
    "the cached node is chosen by limit": ("iova", "if new.hi < PFNS_BELOW_4G:", "if below_4g:"),
    "the cached node goes down": ("iova", "self.cached = node.next", "self.cached = node.next.prev.prev if node.prev.hi > PFNS_BELOW_4G else node.next"),
    "small sizes are not rounded": ("flush_queue", "pages = 1 << order_base_2(pages)", "pass"),
    "33 pages are cached": ("rcache", "if pages > BIN_PAGES:\n            return self._free_iova(cpu, pfn)", "if pages > BIN_PAGES:\n            pages = BIN_PAGES"),
    "the flush spares the older magazines": ("rcache", "            yield from self._magazine_free_pfns(cpu, cpu_rcache.prev, rcache.pages)\n", ""),
    "the flush spares the depots": ("rcache", "            yield from self._free_global_cached_iovas(cpu)\n", ""),
    "the flush asks offline CPUs": ("replay", "domain.online.discard(cpu)", "pass"),
    "a magazine is freed pfn by pfn": ("rcache", "        for pfn in mag:\n", "        for pfn in mag:\n            self.release(rbtree_lock, cpu)\n            self.acquire(rbtree_lock, cpu)\n"),
    "the work frees below the threshold": ("rcache", "len(rcache.depot) > self.trim_threshold", "len(rcache.depot) >= self.trim_threshold"),
    "the work frees the oldest": ("rcache", "mags.append(rcache.depot.pop())", "mags.append(rcache.depot.pop(0))"),
    "the work runs once": ("rcache", "        if mags:\n            self.engine", "        if False:\n            self.engine"),
    "each push delays the work": ("replay", "if size_bin not in self.work_due:", "self.work_due.pop(size_bin, 0)\n        if True:"),
    "the works run in the bins' order": ("replay", "in engine.work_due.items() if", "in sorted(engine.work_due.items()) if"),
    "the ring holds one more": ("flush_queue", "len(entries) >= self.fq_slots - 1", "len(entries) >= self.fq_slots"),
    "a full ring frees without a flush": ("flush_queue", "            self.flush_iotlb(cpu)\n            yield from self._ring_free(cpu, ring)\n        entries", "            entries.popleft()\n        entries"),
    "entries flushed elsewhere stay": ("flush_queue", "if entries and entries[0][2] < self.flush_finish:", "if False:"),
    "entries are freed an epoch late": ("flush_queue", "finished = self.flush_finish", "finished = self.flush_finish - 1"),
    "entries carry the finished epoch less one": ("flush_queue", "entries.append((pfn, pages, self.flush_start))", "entries.append((pfn, pages, self.flush_start - 1))"),
    "the timer is pushed back": ("flush_queue", "if not self.timer_on:", "if True:"),
    "the timer stays marked as on": ("flush_queue", "self.timer_on = False\n        self.flush", "self.flush"),
    "the timer does not flush": ("flush_queue", "self.timer_on = False\n        self.flush_iotlb(cpu)", "self.timer_on = False"),
    "the drain fills each CPU's own cache": ("flush_queue", "        for ring in self.rings:\n", "        for cpu, ring in enumerate(self.rings):\n"),
    "the drain starts at the last CPU": ("flush_queue", "in self.rings:\n", "in self.rings[::-1]:\n"),
    "the timer is a jiffy late": ("replay", "self.timer_due = self.jiffies + msecs_to_jiffies(timeout_ms, self.hz)", "self.timer_due = self.jiffies + msecs_to_jiffies(timeout_ms, self.hz) + 1"),
    "ms are rounded down to jiffies": ("locks", "int((ms * hz + 999) // 1000)", "int(ms * hz // 1000)"),
    "32 bits are not tried first": ("flush_queue", "limit_pfn <= LIMIT_32BIT or not self.pci_32bit", "True"),
    "the 32-bit try flushes the caches": ("flush_queue", "pages, LIMIT_32BIT, False)", "pages, LIMIT_32BIT, True)"),
    "6.12 keeps trying below 4 GiB": ("flush_queue", "if self.kernel.forgets_32bit:", "if False:"),
    "no rotation after an insert": ("rbtree", "            if not parent.red:\n                return", "            return"),
}  # fmt: skip

SMALL_TRACES = [
    ("6.12", "24_works_in_order_of_arming"),
    ("6.12", "13_dma_32bit_first"),
    ("5.15", "17_retry_pfn_overflow"),
    ("5.15", "06_exhaust32_flush_rcache"),
    ("5.15", "10_alloc_failures"),
    ("6.12", "16_hz250_ticks"),
    ("6.12", "22_random_hz250"),
    ("6.12", "20_random_limits"),
    ("6.1", "23_random_two_cpus"),
    ("5.15", "03_mixed_sizes"),
    ("5.15", "19_find_limit_straddle"),
    ("6.12", "14_soak_mixed_50k"),
    ("5.15", "14_soak_mixed_50k"),
    ("6.12", "11_cpu_offline"),
    ("5.15", "05_timer_drain_64cpu"),
    ("6.12", "09_burst_idle_depot_work"),
]
"""In the order they are tried."""

RUN_MUTANTS = {
    "the wheel adds no jiffy": ("clocks", "self.timer_expires = expires + 1", "self.timer_expires = expires"),
    "the timer moves to who arms it": ("clocks", "cpu if self.running_cpu == NOBODY else self.running_cpu", "cpu"),
    "the softirq runs one callback": ("machine", "while engine.timer_due(cpu):", "if engine.timer_due(cpu):"),
    "a handover costs nothing": ("clocks", "lock.free_at + self.handover_ns", "lock.free_at"),
    "a waiter goes on from when it asked": ("clocks", "max(self.clock[heir], now + self.handover_ns)", "self.clock[heir] + self.handover_ns"),
    "every lock is local": ("clocks", "self.local_ns if lock.last == cpu else self.remote_ns", "self.local_ns"),
    "a lock released in the future is free": ("clocks", "if lock.free_at > now:", "if False:"),
    "locks give no way": ("clocks", "if heap and clock[heap[0]] < clock[cpu]:\n                self.gave", "if False:\n                self.gave"),
    "late bursts are made up": ("machine", "next_ns = max(next_ns + period_ns, clock[cpu])", "next_ns = next_ns + period_ns"),
    "a CPU unmaps what it maps": ("machine", "(cpu + self.scenario[\"free_cpu_shift\"]) % self.active", "cpu"),
    "the timer's own ring is local": ("flush_queue", "if self.timer_cpu == cpu:", "if self.timer_cpu == cpu and ring is not self.ring_of[cpu]:"),
    "ties go to the right": ("clocks", "if right < lowest:", "if right <= lowest:"),
    "an idle ring costs no lock": ("flush_queue", "            while not self.acquire(ring.lock, cpu):\n                yield\n            if ring.entries:", "            if not ring.entries:\n                continue\n            while not self.acquire(ring.lock, cpu):\n                yield\n            if ring.entries:"),
    "a delete looks at one cached node": ("iova", "2 * self.visit_ns + self.erase_ns", "self.visit_ns + self.erase_ns"),
    "aligned means at once": ("machine", "ALIGNED_SPREAD_NS = 10e3", "ALIGNED_SPREAD_NS = 0.0"),
}  # fmt: skip


SMALL_RUNS = [row for row in recorded.truth() if row["expected"]["ops_completed"] < 45_000]


@pytest.fixture
def mutant(monkeypatch):
    """``mutant(file, old, new)``: the package with that one replacement, by module name."""

    def load(file: str, old: str, new: str):
        order = ["kernels", "rbtree", "locks", "fnv", "iova", "rcache", "flush_queue", "replay", "clocks", "machine"]
        loaded = {}
        for name in order[order.index(file) :] if file in order else ():
            source = (SOURCES / f"{name}.py").read_text()
            if name == file:
                assert source.count(old) == 1, f"{file}: {old!r} occurs {source.count(old)} times"
                source = source.replace(old, new)
            spec = importlib.util.find_spec(f"{PACKAGE}.{name}")
            module = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, spec.name, module)
            exec(compile(source, spec.origin, "exec"), module.__dict__)
            loaded[name] = module
        return loaded

    return load


def same_answers(replay, kernel, trace):
    answers = replay(recorded.operations(trace), KERNELS[kernel])
    return all(
        given == wanted for given, wanted in zip(answers, recorded.answers(kernel_name(kernel), trace), strict=True)
    )


def kernel_name(kernel):
    return {515: "5.15", 601: "6.1", 612: "6.12"}[kernel.version]


@pytest.mark.parametrize("name", REPLAY_MUTANTS)
def test_a_wrong_rule_changes_an_answer(name, mutant):
    replay_module = mutant(*REPLAY_MUTANTS[name])["replay"]
    for kernel, trace in SMALL_TRACES:
        try:
            if not same_answers(replay_module.replay, kernel, trace):
                return
        except Exception:
            return  # a mutant that breaks down is caught as well
    pytest.fail(f"no trace noticed that {name}")


@pytest.mark.parametrize("name", RUN_MUTANTS)
def test_a_wrong_rule_changes_a_count(name, mutant):
    machine = mutant(*RUN_MUTANTS[name])["machine"]
    for row in sorted(SMALL_RUNS, key=lambda row: row["expected"]["ops_completed"]):
        scenario = row["scenario"] | {"policy": row["policy"]}
        columns = complete_columns({key: [value] for key, value in scenario.items()})
        depot = {key: values.tolist()[0] for key, values in depot_columns(columns).items()}
        counted = machine.simulate(complete_row(scenario), depot)
        if recorded.differences(counted, row["expected"]):
            return
    pytest.fail(f"no scenario noticed that {name}")
