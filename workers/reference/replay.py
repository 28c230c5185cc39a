"""Replays recorded operations on one thread with emulated CPU ids, and answers as the recorder did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.reference.flush_queue import DmaDomain
from workers.reference.fnv import fnv1a
from workers.reference.kernels import Kernel
from workers.reference.locks import CPU, DEPOT, RBTREE, RING, Lock, Steps, msecs_to_jiffies, run_alone
from workers.reference.rbtree import BOTTOM
from workers.reference.rcache import IovaDomain

FIELDS = (
    "rb_lock,cpu_lock,depot_lock,fq_lock,rb_in_cpu,rb_in_depot,rb_in_fq,rb_prev,rb_next,rb_erase,rb_insert,find_visits,"
    "insert_visits,limit_visits,iova_live,iova_allocs,mag_live,mag_allocs,flushes,timer_arms,timer_fires,work_calls,"
    "work_arms,work_runs,warn,max32,cached32_lo,cached_lo"
)
_COUNTERS = "[" + ",".join(["%d"] * (FIELDS.count(",") + 1)) + "]"
MOST_CPUS = 1 << 16


class TraceError(ValueError):
    """A trace that cannot be replayed, as one sentence."""


class OneThread:
    """An Engine where nobody else runs: it counts locks, and jiffies pass only on ``tick``."""

    def __init__(self, cpus: int, hz: int, work_delay_ms: float) -> None:
        self.clock = [0.0] * cpus
        self.acquired = [0, 0, 0, 0]
        self.held = [0, 0, 0, 0]
        self.rbtree_within = [0, 0, 0, 0]
        self.hz, self.jiffies = hz, 0
        self.work_delay = msecs_to_jiffies(work_delay_ms, hz)
        self.timer_due = -1
        self.timer_arms = self.timer_fires = self.work_calls = self.work_arms = 0
        self.work_due: dict[int, int] = {}
        """Bin: jiffy, in the order they were armed, which is the order they run."""

    def acquire(self, lock: Lock, cpu: int) -> bool:
        kind = lock.kind
        self.acquired[kind] += 1
        self.held[kind] += 1
        if kind == RBTREE:
            for outer in (CPU, DEPOT, RING):
                if self.held[outer]:
                    self.rbtree_within[outer] += 1
        return True

    def release(self, lock: Lock, cpu: int) -> None:
        self.held[lock.kind] -= 1

    def irqs_off(self, cpu: int, since: float) -> None:
        pass

    def irqs_on(self, cpu: int) -> None:
        pass

    def schedule_work(self, size_bin: int, cpu: int) -> None:
        self.work_calls += 1
        if size_bin not in self.work_due:
            self.work_arms += 1
            self.work_due[size_bin] = self.jiffies + self.work_delay

    def arm_timer(self, cpu: int, timeout_ms: int) -> Steps:
        self.timer_arms += 1
        self.timer_due = self.jiffies + msecs_to_jiffies(timeout_ms, self.hz)
        yield from ()


def replay(lines: Iterable[str], kernel: Kernel) -> Iterator[str]:
    """The answers to a trace's operations, one JSON line each. Raises TraceError at the first bad operation."""
    replayer: Replayer | None = None
    for number, line in enumerate(lines):
        words = line.split()
        try:
            if replayer is None:
                if words[0] != "init":
                    raise TraceError("a trace begins with init")
                replayer = Replayer(kernel, words)
                yield replayer.init_answer
            else:
                yield replayer.answer(number, words)
        except (IndexError, KeyError, ValueError) as error:
            said = str(error) if isinstance(error, TraceError) else "it is no operation of the traces' format"
            raise TraceError(f"line {number + 1}: {line.strip()!r} cannot be replayed; {said}") from None


class Replayer:
    """One trace under way."""

    def __init__(self, kernel: Kernel, words: list[str]) -> None:
        options = {name: value for name, _, value in (word.partition("=") for word in words[3:])}
        cpus, start_pfn, hz = int(words[1]), int(words[2], 0), int(options.get("hz", 1000))
        if not 1 <= cpus <= MOST_CPUS or hz < 1 or start_pfn < 0 or set(options) - {"hz", "fq", "nopci"}:
            raise TraceError("init takes CPUs, a start pfn and hz=, fq=single or nopci")
        self.engine = OneThread(cpus, hz, kernel.trim_period_ms)
        single = kernel.version >= 612 and options.get("fq") == "single"
        self.domain = DmaDomain(kernel, self.engine, cpus, start_pfn, single_queue=single, pci="nopci" not in options)
        self.results: list[int] = []
        self.cpus = cpus
        sizes = ",".join(f'"{name}":{size}' for name, size in kernel.sizeof.items())
        self.init_answer = (
            f'{{"i":0,"op":"init","kver":{kernel.version},"ncpu":{cpus},"start_pfn":{start_pfn},"hz":{hz},'
            f'"mag_size":{kernel.magazine_pfns},"sizeof":{{{sizes}}},"fields":"{FIELDS}","c":{self._counters()}}}'
        )

    def answer(self, i: int, words: list[str]) -> str:
        """Does one operation; its JSON line."""
        op = words[0]
        extra = ""
        domain = self.domain
        if op == "alloc" or op == "dalloc":
            cpu, pages = self._cpu(words[1]), int(words[2], 0)
            if pages < 1:
                raise TraceError("a size is at least 1 page")
            if op == "alloc":
                steps = domain.alloc_iova_fast(cpu, pages, int(words[3], 0), words[4] != "0")
            else:
                steps = domain.iommu_dma_alloc_iova(cpu, pages, (1 << int(words[3])) - 1 >> 12)
            pfn = steps if steps.__class__ is int else run_alone(steps)
            self.results.append(pfn)
            extra = f'"pfn":{pfn},'
        elif op == "free" or op == "queue":
            name = words[2]
            pfn = self.results[int(name[1:])] if name[0] == "@" else int(name, 0)
            extra = f'"pfn":{pfn},'
            if not pfn:
                extra += '"skip":1,'
            else:
                free = domain.free_iova_fast if op == "free" else domain.queue_iova
                rest = free(self._cpu(words[1]), pfn, int(words[3], 0))
                if rest is not None:
                    run_alone(rest)
        elif op == "tick":
            extra = self._tick(int(words[1]), self._cpu(words[2]))
        elif op == "state":
            extra = self._state()
        elif op == "reserve":
            run_alone(domain.reserve_iova(0, int(words[1], 0), int(words[2], 0)))
        elif op == "failmag":
            domain.fail_magazines = int(words[1])
        elif op == "failiova":
            domain.fail_iovas = int(words[1])
        elif op == "offline":
            cpu = self._cpu(words[1])
            domain.online.discard(cpu)
            run_alone(domain.free_cpu_cached_iovas(cpu, cpu))
            domain.trim_threshold = len(domain.online)
        elif op == "online":
            domain.online.add(self._cpu(words[1]))
            domain.trim_threshold = len(domain.online)
        else:
            raise TraceError(f"{op} is no operation")
        return f'{{"i":{i},"op":"{op}",{extra}"c":{self._counters()}}}'

    def _cpu(self, word: str) -> int:
        cpu = int(word)
        if not 0 <= cpu < self.cpus:
            raise TraceError(f"CPU {cpu} is not below {self.cpus}")
        return cpu

    def _tick(self, jiffies: int, timer_cpu: int) -> str:
        """Jiffy by jiffy: the flush timer if due, then the depot works that are."""
        engine, domain = self.engine, self.domain
        events = []
        end = engine.jiffies + jiffies
        while engine.jiffies < end:
            due = [d for d in (engine.timer_due, *engine.work_due.values()) if d >= 0]
            engine.jiffies = min(end, max(min(due, default=end), engine.jiffies + 1))
            if 0 <= engine.timer_due <= engine.jiffies:
                engine.timer_due = -1
                engine.timer_fires += 1
                events.append(f'["fq",{engine.jiffies}]')
                run_alone(domain.fq_flush_timeout(timer_cpu))
            for size_bin in [b for b, due_at in engine.work_due.items() if due_at <= engine.jiffies]:
                del engine.work_due[size_bin]
                events.append(f'["work",{size_bin},{engine.jiffies}]')
                run_alone(domain.depot_work(timer_cpu, size_bin))
        return f'"ev":[{",".join(events)}],"j":{engine.jiffies},'

    def _state(self) -> str:
        engine, domain = self.engine, self.domain
        bounds: list[int] = []
        node = domain.anchor.prev
        while node is not BOTTOM:
            bounds += (node.hi, node.lo)
            node = node.prev
        bounds.reverse()
        pages = sum(bounds[1::2]) - sum(bounds[::2]) + len(bounds) // 2
        bins = []
        for size_bin, rcache in enumerate(domain.rcaches):
            due = engine.work_due.get(size_bin, -1)
            sizes = ",".join(f"[{len(c.loaded)},{len(c.prev)}]" for c in rcache.cpus)
            work = f',"work_due":{due}' if domain.kernel.depot_capacity is None else ""
            bins.append(f'{{"depot":{len(rcache.depot)},"cpu":[{sizes}]{work}}}')
        slots = domain.fq_slots
        rings = ",".join(
            f"[{r.head % slots},{(r.head + len(r.entries)) % slots},{len(r.entries)}]" for r in domain.rings
        )
        return (
            f'"jiffies":{engine.jiffies},"nodes":{len(bounds) // 2},"node_pages":{pages},'
            f'"tree_hash":"{fnv1a(bounds):016x}","bins":[{",".join(bins)}],'
            f'"rcache_hash":"{fnv1a(_cached_words(domain)):016x}","fq":[{rings}],"fq_start":{domain.flush_start},'
            f'"fq_finish":{domain.flush_finish},"timer_on":{int(domain.timer_on)},"timer_due":{engine.timer_due},'
            f'"pci32":{int(domain.pci_32bit)},'
        )

    def _counters(self) -> str:
        e, d = self.engine, self.domain
        acquired, within = e.acquired, e.rbtree_within
        anchor = d.anchor
        return _COUNTERS % (
            acquired[RBTREE],
            acquired[CPU],
            acquired[DEPOT],
            acquired[RING],
            within[CPU],
            within[DEPOT],
            within[RING],
            d.rb_prev,
            d.rb_next,
            d.rb_erase,
            d.rb_insert,
            d.find_visits,
            d.insert_visits,
            d.limit_visits,
            d.iova_live,
            d.iova_allocs,
            d.mag_live,
            d.mag_allocs,
            d.flushes,
            e.timer_arms,
            e.timer_fires,
            e.work_calls,
            e.work_arms,
            d.work_runs,
            d.warn,
            d.max32_alloc_size,
            -1 if d.cached32 is anchor else d.cached32.lo,
            -1 if d.cached is anchor else d.cached.lo,
        )


def _cached_words(domain: IovaDomain) -> list[int]:
    """What rcache_hash covers, in its order: CPU magazines with their sizes, then the depot from the top."""
    words: list[int] = []
    for rcache in domain.rcaches:
        for cpu_rcache in rcache.cpus:
            for mag in (cpu_rcache.loaded, cpu_rcache.prev):
                words.append(len(mag))
                words += mag
        words.append(len(rcache.depot))
        for mag in reversed(rcache.depot):
            words += mag
    return words
