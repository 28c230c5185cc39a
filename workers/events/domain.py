"""An IOVA domain: the rcaches in front of the tree, and the tree's lock.

Source: drivers/iommu/iova.c (5.15), __iova_rcache_insert(), __iova_rcache_get(), iova_magazine_free_pfns(),
alloc_iova(), free_iova(), iova_depot_work_func(); drivers/iommu/dma-iommu.c, iommu_dma_alloc_iova().
A run of pushes or pops that stays in a CPU's own magazines is done at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from heapq import heappush
from math import inf
from typing import Any

from workers.events.clocks import Clocks, Lock, Steps
from workers.events.side import CLASS
from workers.events.tree import HIGH, Tree
from workers.params import size_classes
from workers.policy import trims
from workers.schema import RCACHE_BINS, RCACHE_MAX_PAGES

OVERSIZE = RCACHE_BINS
WORKER = 1 << 30


def rcache_bin(pages: int) -> int:
    """The size's bin, OVERSIZE above 32 pages."""
    return (pages - 1).bit_length() if pages <= RCACHE_MAX_PAGES else OVERSIZE


class Rcache:
    """struct iova_rcache of a bin: a depot, and ``loaded`` and ``prev`` of each CPU."""

    __slots__ = ("depot", "high_from", "loaded", "lock", "pages", "peak", "prev", "scanned", "work_due_ns")

    def __init__(self, cpus: int, pages: int) -> None:
        self.pages = pages
        self.loaded: list[list[int]] = [[] for _ in range(cpus)]
        self.prev: list[list[int]] = [[] for _ in range(cpus)]
        self.scanned: list[list[int] | None] = [None] * cpus
        """A CPU's ``loaded`` once it was searched for IOVAs below 4 GiB, until something is pushed."""
        self.high_from = [0] * cpus
        """From this index on that ``loaded`` holds none; at 0 it is poisoned."""
        self.lock = Lock()
        self.depot: list[list[int]] = []
        self.peak = 0
        self.work_due_ns = inf

    def is_poisoned(self, cpu: int) -> bool:
        """Whether ``loaded`` is known to hold IOVAs above 4 GiB alone."""
        loaded = self.loaded[cpu]
        return bool(loaded) and self.scanned[cpu] is loaded and not self.high_from[cpu]


class Domain(Clocks):
    """The allocator of one scenario under one depot (both as plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], depot: Mapping[str, Any]) -> None:
        super().__init__(scenario)
        classes = size_classes(scenario["iova_pages"])
        sizes = [pages for pages, _ in classes]
        self.tree = Tree(sizes, scenario["rb_visit_ns"], scenario["rb_insert_ns"], scenario["rb_erase_ns"])
        self.tree_lock = Lock()
        self.iova_slab_ns, self.magazine_slab_ns = scenario["iova_slab_ns"], scenario["magazine_slab_ns"]
        self.low_first = scenario["dma32_first"]
        self.bins = [rcache_bin(pages) for pages in sizes]
        self.used_bins = sorted(set(self.bins))
        self.weights = [weight for _, weight in classes]
        self.mixed = len(classes) > 1
        self.classes = range(len(classes))
        self.rcaches = [Rcache(scenario["cpus"], 1 << b) for b in range(RCACHE_BINS)]
        self.rcache_of = [self.rcaches[b] if b != OVERSIZE else None for b in self.bins]
        """The rcache of each size class, None for oversize IOVAs."""
        self.usable_below = HIGH if self.low_first else inf
        """IOVAs below it are what a first attempt may take from a magazine."""
        self.mag_pfns = depot["magazine_pfns"]
        self.capacity = inf if depot["depot_kind"] == "list" else depot["depot_capacity"]
        self.trim_threshold, self.trim_magazines = depot["trim_threshold"], depot["trim_magazines"]
        self.trim_ns = 1e6 * depot["trim_period_ms"]
        self.trims = trims(depot)
        self.others |= {-1 - size_bin: partial(self.depot_work, size_bin) for size_bin in range(RCACHE_BINS)}
        self.depot_magazines = self.depot_peak = 0
        self.refused = False
        """Whether a depot ever had no room for a magazine."""
        self.cached_pages = self.cached_pages_peak = 0
        self.structs = self.structs_peak = 0
        self.acquisitions = 0
        self.wait_ns = self.wait_max_ns = self.held_ns = 0.0

    # --- the tree, under iova_rbtree_lock ---

    def _hold(self, cpu: int, asked: float, took_ns: float) -> float:
        """iova_rbtree_lock, asked for at ``asked`` and held for ``took_ns``: the clock after it. As ``enter``, written
        out: nothing is called more often."""
        lock = self.tree_lock
        if lock.free_ns > asked:
            since = lock.free_ns + self.handover_ns
        else:
            since = asked + (self.local_ns if lock.last == cpu else self.remote_ns)
        lock.last = cpu
        self.acquisitions += 1
        wait = since - asked
        self.wait_ns += wait
        if wait > self.wait_max_ns:
            self.wait_max_ns = wait
        lock.free_ns = done = since + took_ns
        self.held_ns += took_ns
        if done - asked > self.irqs_off_max_ns:
            self.irqs_off_max_ns = done - asked
        return done

    def search(self, cpu: int, asked: float, size_class: int, below_4g: bool) -> tuple[int | None, float]:
        """alloc_iova() of a CPU that has given way, and asks for the lock now: the IOVA or None, and its clock."""
        tree = self.tree
        if self.structs >= self.structs_peak:
            self.structs_peak = self.structs + 1
        if below_4g and tree.sizes[size_class] >= tree.max32_alloc_size:
            return None, self._hold(cpu, asked, 0.0) + self.iova_slab_ns
        iova, took_ns = tree.allocate(size_class, below_4g)
        now = self._hold(cpu, asked, took_ns)
        if iova is None:
            return None, now + self.iova_slab_ns
        self.structs += 1
        return iova, now

    def _free_node(self, cpu: int, now: float, iova: int) -> float:
        """free_iova() of a CPU that has given way; its clock."""
        tree = self.tree
        took_ns = tree.find_ns() + tree.erase_ns
        tree.remove(iova)
        self.structs -= 1
        return self._hold(cpu, now, took_ns) + self.iova_slab_ns

    def free_magazine(self, cpu: int, now: float, iovas: list[int], pages: int) -> float:
        """iova_magazine_free_pfns() of a CPU that has given way: all in one hold of the lock; its clock."""
        tree = self.tree
        took_ns = len(iovas) * (tree.find_ns() + tree.erase_ns + self.iova_slab_ns)
        for iova in iovas:
            tree.remove(iova)
        self.structs -= len(iovas)
        self.cached_pages -= pages * len(iovas)
        return self._hold(cpu, now, took_ns) + self.magazine_slab_ns

    # --- frees ---

    def free(self, cpu: int, now: float, iovas: list[int], entry_ns: float) -> Steps:
        """free_iova_fast() of ``iovas``, ``entry_ns`` each before; the clock."""
        bins = self.bins
        for size_bin in self.used_bins:
            same = [iova for iova in iovas if bins[iova & CLASS] == size_bin] if self.mixed else iovas
            if size_bin == OVERSIZE:
                for iova in same:
                    now += entry_ns
                    if self.heap[0][0] < now:
                        yield now
                    now = self._free_node(cpu, now, iova)
            elif same:
                now = yield from self._insert(cpu, now, self.rcaches[size_bin], same, entry_ns)
        return now

    def _insert(self, cpu: int, now: float, rcache: Rcache, iovas: list[int], entry_ns: float) -> Steps:
        """__iova_rcache_insert() of each IOVA: ``loaded``, ``prev``, then a magazine to the depot, or to the tree."""
        most, at = self.mag_pfns, 0
        rcache.scanned[cpu] = None
        while at < len(iovas):
            loaded = rcache.loaded[cpu]
            if len(loaded) >= most:
                prev = rcache.prev[cpu]
                if len(prev) < most:
                    rcache.loaded[cpu], rcache.prev[cpu] = prev, loaded
                    continue
                now += self.magazine_slab_ns
                if self.heap[0][0] < now:
                    yield now
                now = self.enter(rcache.lock, cpu, now)
                rcache.lock.free_ns = now
                rcache.loaded[cpu] = []
                if len(rcache.depot) < self.capacity:
                    rcache.depot.append(loaded)
                    self._depot_changed(rcache, 1)
                    if self.trims and rcache.work_due_ns == inf:
                        self._schedule_work(rcache, now)
                else:
                    self.refused = True
                    if self.heap[0][0] < now:
                        yield now
                    now = self.free_magazine(cpu, now, loaded, rcache.pages)
                continue
            some = iovas[at : at + most - len(loaded)]
            loaded += some
            at += len(some)
            now += len(some) * (entry_ns + self.local_ns)
            self.cached_pages += len(some) * rcache.pages
            if self.cached_pages > self.cached_pages_peak:
                self.cached_pages_peak = self.cached_pages
        return now

    # --- maps ---

    def pop(self, cpu: int, rcache: Rcache, most: int, low: bool) -> list[int]:
        """Up to ``most`` IOVAs from ``loaded``, or from ``prev`` if that is empty; only some below 4 GiB if ``low``."""
        loaded = rcache.loaded[cpu]
        if not loaded:
            prev = rcache.prev[cpu]
            if not prev:
                return []
            rcache.loaded[cpu], rcache.prev[cpu] = prev, loaded
            rcache.scanned[cpu] = None
            loaded = prev
        if low and self.tree.high.lowest != self.tree.anchor:
            return self._pop_low(cpu, rcache, loaded, most)
        some = loaded[-most:]
        del loaded[-most:]
        self.cached_pages -= len(some) * rcache.pages
        some.reverse()
        return some

    def _pop_low(self, cpu: int, rcache: Rcache, loaded: list[int], most: int) -> list[int]:
        """iova_magazine_pop(): the topmost low enough; the top one fills its hole."""
        below = min(rcache.high_from[cpu], len(loaded)) if rcache.scanned[cpu] is loaded else len(loaded)
        if below == len(loaded) and max(loaded[-most:]) < HIGH:
            some = loaded[-most:]
            del loaded[-most:]
            some.reverse()
        else:
            some = []
            for at in range(below - 1, -1, -1):
                iova = loaded[at]
                if iova < HIGH:
                    some.append(iova)
                    top = loaded.pop()
                    if at < len(loaded):
                        loaded[at] = top
                    if len(some) == most:
                        break
            else:
                at = 0
            rcache.scanned[cpu], rcache.high_from[cpu] = loaded, at
        self.cached_pages -= len(some) * rcache.pages
        return some

    def may_pop(self, cpu: int, rcache: Rcache) -> bool:
        """Whether a first attempt may find something in a CPU's own magazines."""
        return not rcache.is_poisoned(cpu) if rcache.loaded[cpu] else bool(rcache.prev[cpu])

    def pop_one(self, cpu: int, rcache: Rcache, low: bool) -> int | None:
        """As ``pop``, one."""
        loaded = rcache.loaded[cpu]
        if loaded and (not low or loaded[-1] < HIGH):
            self.cached_pages -= rcache.pages
            return loaded.pop()
        found = self.pop(cpu, rcache, 1, low)
        return found[0] if found else None

    def refill(self, cpu: int, now: float, rcache: Rcache) -> float:
        """Both magazines of a CPU that has given way are empty: the newest of the depot replaces ``loaded``, if there
        is one; its clock."""
        now = self.enter(rcache.lock, cpu, now)
        rcache.lock.free_ns = now
        if rcache.depot:
            now += self.magazine_slab_ns
            rcache.loaded[cpu] = rcache.depot.pop()
            self._depot_changed(rcache, -1)
        return now

    # --- depot ---

    def _depot_changed(self, rcache: Rcache, by: int) -> None:
        self.depot_magazines += by
        if self.depot_magazines > self.depot_peak:
            self.depot_peak = self.depot_magazines
        if len(rcache.depot) > rcache.peak:
            rcache.peak = len(rcache.depot)

    def _schedule_work(self, rcache: Rcache, now: float) -> None:
        rcache.work_due_ns = now + self.trim_ns
        heappush(self.heap, (rcache.work_due_ns, -1 - rcache_bin(rcache.pages)))

    def depot_work(self, size_bin: int, now: float) -> None:
        """iova_depot_work_func(): frees the newest surplus magazines and runs again, or stops."""
        rcache = self.rcaches[size_bin]
        rcache.work_due_ns = inf
        now = self.enter(rcache.lock, WORKER, now)
        surplus = min(len(rcache.depot) - self.trim_threshold, self.trim_magazines)
        for _ in range(surplus):
            self._depot_changed(rcache, -1)
            now = self.free_magazine(WORKER, now, rcache.depot.pop(), rcache.pages)
        if surplus > 0:
            self._schedule_work(rcache, now)
