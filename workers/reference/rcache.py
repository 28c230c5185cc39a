"""drivers/iommu/iova.c, second half: the per-CPU magazines and the depot in front of the tree."""

from __future__ import annotations

from workers.reference.iova import NO_COSTS, U64, IovaTree, order_base_2
from workers.reference.kernels import Kernel
from workers.reference.locks import CPU, DEPOT, NOBODY, Engine, Lock, Steps
from workers.schema import RCACHE_BINS

BIN_PAGES = 1 << (RCACHE_BINS - 1)
"""Largest size the rcache holds, in pages."""


class CpuRcache:
    """struct iova_cpu_rcache. Its lock is only ever taken by its own CPU, but for flush_rcache."""

    __slots__ = ("last", "loaded", "prev")

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.prev: list[int] = []
        self.last = NOBODY


class Rcache:
    """struct iova_rcache: one size bin."""

    __slots__ = ("cpus", "depot", "lock", "pages", "peak")

    def __init__(self, cpus: int, pages: int) -> None:
        self.cpus = [CpuRcache() for _ in range(cpus)]
        self.lock = Lock(DEPOT)
        self.depot: list[list[int]] = []
        self.pages = pages
        self.peak = 0


class IovaDomain(IovaTree):
    """struct iova_domain: the tree and its caches."""

    def __init__(
        self, kernel: Kernel, engine: Engine, cpus: int, start_pfn: int = 1, costs: dict[str, float] = NO_COSTS
    ) -> None:
        """init_iova_domain() and iova_domain_init_rcaches(): 12 magazines a CPU. ``costs``: ns, by column name."""
        super().__init__(kernel, engine, start_pfn, costs)
        self.mag_pfns = kernel.magazine_pfns
        self.depot_capacity = float("inf") if kernel.depot_capacity is None else kernel.depot_capacity
        self.online = set(range(cpus))
        self.trim_threshold = cpus
        self.magazine_slab_ns = costs["magazine_slab_ns"]
        self.lock_local_ns, self.lock_remote_ns = costs["lock_local_ns"], costs["lock_remote_ns"]
        self.rcaches = [Rcache(cpus, 1 << b) for b in range(RCACHE_BINS)]
        self.fail_magazines = 0
        self.mag_live = self.mag_allocs = self.mag_peak = 2 * RCACHE_BINS * cpus
        self.depot_magazines = self.depot_peak = 0
        self.cached_pages = self.cached_pages_peak = 0
        self.work_runs = 0

    def alloc_iova_fast(self, cpu: int, size: int, limit_pfn: int, flush_rcache: bool) -> int | Steps:
        """alloc_iova_fast(): the pfn, 0 for none, or the steps that find it."""
        if size < BIN_PAGES and not self.kernel.dma_rounds_size:
            size = 1 << order_base_2(size)
        pfn: int | Steps = 0
        if size <= BIN_PAGES:
            pfn = self._rcache_get(cpu, order_base_2(size), (limit_pfn + 1 - size) & U64)
        if pfn.__class__ is int and pfn:
            return pfn
        return self._alloc_iova_slow(cpu, size, limit_pfn, flush_rcache, pfn)

    def _alloc_iova_slow(self, cpu: int, size: int, limit_pfn: int, flush_rcache: bool, got: int | Steps) -> Steps:
        """The rest of alloc_iova_fast(): the tree, and the retry with empty caches."""
        if not isinstance(got, int):
            got = yield from got
        if got:
            return got
        new = yield from self._alloc_iova(cpu, size, limit_pfn)
        if new is None and flush_rcache:
            for other in sorted(self.online):
                yield from self.free_cpu_cached_iovas(cpu, other)
            yield from self._free_global_cached_iovas(cpu)
            new = yield from self._alloc_iova(cpu, size, limit_pfn)
        return new.lo if new is not None else 0

    def free_iova_fast(self, cpu: int, pfn: int, pages: int) -> Steps | None:
        """free_iova_fast(): None when done, else the steps still to do."""
        if pages > BIN_PAGES:
            return self._free_iova(cpu, pfn)
        rcache = self.rcaches[(pages - 1).bit_length() if pages > 1 else 0]
        cpu_rcache = rcache.cpus[cpu]
        self._lock_cpu_rcache(cpu_rcache, cpu)
        mag = cpu_rcache.loaded
        if len(mag) >= self.mag_pfns:  # __iova_rcache_insert()
            mag = cpu_rcache.prev
            if len(mag) >= self.mag_pfns:
                return self._insert_full(cpu, rcache, cpu_rcache, pfn)
            cpu_rcache.prev, cpu_rcache.loaded = cpu_rcache.loaded, mag
        mag.append(pfn)
        self.cached_pages += rcache.pages
        if self.cached_pages > self.cached_pages_peak:
            self.cached_pages_peak = self.cached_pages
        return None

    def _insert_full(self, cpu: int, rcache: Rcache, cpu_rcache: CpuRcache, pfn: int) -> Steps:
        """__iova_rcache_insert() with both magazines full: ``loaded`` goes to the depot."""
        engine = self.engine
        engine.irqs_off(cpu, self._asked_ns)
        empty = self._magazine_alloc(cpu)
        if empty is None:
            engine.irqs_on(cpu)
            yield from self._free_iova(cpu, pfn)
            return
        overflow = None
        while not self.acquire(rcache.lock, cpu):
            yield
        if len(rcache.depot) < self.depot_capacity:
            rcache.depot.append(cpu_rcache.loaded)
            self._depot_changed(rcache, 1)
        else:
            overflow = cpu_rcache.loaded
        self.release(rcache.lock, cpu)
        if self.kernel.trims:
            engine.schedule_work(order_base_2(rcache.pages), cpu)
        cpu_rcache.loaded = empty
        empty.append(pfn)
        self.cached_pages += rcache.pages
        self.cached_pages_peak = max(self.cached_pages_peak, self.cached_pages)
        engine.irqs_on(cpu)
        if overflow is not None:
            yield from self._magazine_free_pfns(cpu, overflow, rcache.pages)
            self._magazine_free(cpu)

    def _rcache_get(self, cpu: int, size_bin: int, limit_pfn: int) -> int | Steps:
        """__iova_rcache_get(): a pfn up to ``limit_pfn``, 0 for none, or the steps that ask the depot."""
        rcache = self.rcaches[size_bin]
        cpu_rcache = rcache.cpus[cpu]
        self._lock_cpu_rcache(cpu_rcache, cpu)
        mag = cpu_rcache.loaded
        if not mag:
            mag = cpu_rcache.prev
            if not mag:
                return self._get_from_depot(cpu, rcache, cpu_rcache, limit_pfn)
            cpu_rcache.prev, cpu_rcache.loaded = cpu_rcache.loaded, mag
        pfn = mag[-1]
        if pfn <= limit_pfn:
            self.cached_pages -= rcache.pages
            return mag.pop()
        return self._magazine_pop(rcache, mag, limit_pfn)

    def _get_from_depot(self, cpu: int, rcache: Rcache, cpu_rcache: CpuRcache, limit_pfn: int) -> Steps:
        """__iova_rcache_get() with both magazines empty: the newest depot magazine replaces ``loaded``."""
        engine = self.engine
        engine.irqs_off(cpu, self._asked_ns)
        while not self.acquire(rcache.lock, cpu):
            yield
        pfn = 0
        if rcache.depot:
            self._magazine_free(cpu)
            cpu_rcache.loaded = rcache.depot.pop()
            self._depot_changed(rcache, -1)
        self.release(rcache.lock, cpu)
        if cpu_rcache.loaded:
            pfn = self._magazine_pop(rcache, cpu_rcache.loaded, limit_pfn)
        engine.irqs_on(cpu)
        return pfn

    def _lock_cpu_rcache(self, cpu_rcache: CpuRcache, cpu: int) -> None:
        """spin_lock() of struct iova_cpu_rcache, which gives no way to others and is never contended."""
        self._asked_ns = self.clock[cpu]
        self.clock[cpu] += self.lock_local_ns if cpu_rcache.last == cpu else self.lock_remote_ns
        cpu_rcache.last = cpu
        self.acquired[CPU] += 1

    def _magazine_pop(self, rcache: Rcache, mag: list[int], limit_pfn: int) -> int:
        """iova_magazine_pop(): the highest entry of the stack that is low enough; the top one fills its hole."""
        for i in range(len(mag) - 1, -1, -1):
            if mag[i] <= limit_pfn:
                pfn, mag[i] = mag[i], mag[-1]
                mag.pop()
                self.cached_pages -= rcache.pages
                return pfn
        return 0

    def _magazine_alloc(self, cpu: int) -> list[int] | None:
        """iova_magazine_alloc(GFP_ATOMIC)."""
        if self.fail_magazines:
            self.fail_magazines -= 1
            return None
        self.mag_allocs += 1
        self.mag_live += 1
        if self.mag_live > self.mag_peak:
            self.mag_peak = self.mag_live
        self.clock[cpu] += self.magazine_slab_ns
        return []

    def _magazine_free(self, cpu: int) -> None:
        """iova_magazine_free()."""
        self.mag_live -= 1
        self.clock[cpu] += self.magazine_slab_ns

    def _magazine_free_pfns(self, cpu: int, mag: list[int], pages: int) -> Steps:
        """iova_magazine_free_pfns(): all of a magazine in one hold of iova_rbtree_lock."""
        rbtree_lock = self.rbtree_lock
        while not self.acquire(rbtree_lock, cpu):
            yield
        for pfn in mag:
            node, visits = self.tree.find(pfn)
            self.find_visits += visits
            self.clock[cpu] += visits * self.visit_ns
            if node is None:
                self.warn += 1
                continue
            self._remove_iova(cpu, node)
            self._free_iova_mem(cpu)
        self.release(rbtree_lock, cpu)
        self.cached_pages -= pages * len(mag)
        mag.clear()

    def _depot_changed(self, rcache: Rcache, by: int) -> None:
        self.depot_magazines += by
        self.depot_peak = max(self.depot_peak, self.depot_magazines)
        rcache.peak = max(rcache.peak, len(rcache.depot))

    def free_cpu_cached_iovas(self, cpu: int, of_cpu: int) -> Steps:
        """free_cpu_cached_iovas(): both magazines of every bin, each under the CPU's own lock, empty or not."""
        for rcache in self.rcaches:
            cpu_rcache = rcache.cpus[of_cpu]
            lock = Lock(CPU)
            lock.last = cpu_rcache.last
            while not self.acquire(lock, cpu):
                yield
            cpu_rcache.last = cpu
            yield from self._magazine_free_pfns(cpu, cpu_rcache.loaded, rcache.pages)
            yield from self._magazine_free_pfns(cpu, cpu_rcache.prev, rcache.pages)
            self.release(lock, cpu)

    def _free_global_cached_iovas(self, cpu: int) -> Steps:
        """free_global_cached_iovas(): every depot. The array is freed from its bottom, the list from its top."""
        for rcache in self.rcaches:
            while not self.acquire(rcache.lock, cpu):
                yield
            mags = rcache.depot if self.kernel.depot_capacity is not None else rcache.depot[::-1]
            for mag in mags:
                yield from self._magazine_free_pfns(cpu, mag, rcache.pages)
                self._magazine_free(cpu)
            self._depot_changed(rcache, -len(mags))
            rcache.depot = []
            self.release(rcache.lock, cpu)

    def depot_work(self, cpu: int, size_bin: int) -> Steps:
        """iova_depot_work_func(): frees the newest surplus magazines of a bin and runs again, or stops."""
        rcache = self.rcaches[size_bin]
        self.work_runs += 1
        while not self.acquire(rcache.lock, cpu):
            yield
        mags: list[list[int]] = []
        while len(mags) < self.kernel.trim_magazines and len(rcache.depot) > self.trim_threshold:
            mags.append(rcache.depot.pop())
            self._depot_changed(rcache, -1)
        self.release(rcache.lock, cpu)
        for mag in mags:
            yield from self._magazine_free_pfns(cpu, mag, rcache.pages)
            self._magazine_free(cpu)
        if mags:
            self.engine.schedule_work(size_bin, cpu)
