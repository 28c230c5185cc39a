"""The rcaches of a domain: a depot of each bin, and magazines of each CPU.

Source: drivers/iommu/iova.c, __iova_rcache_insert(), __iova_rcache_get() (5.15), iova_depot_work_func() (patch 2). A
run of pushes or pops that stays in a CPU's own magazines is done at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from heapq import heappush
from math import inf
from typing import Any

from workers.events.clocks import Clocks, Lock, Steps
from workers.events.counters import Counters
from workers.events.iova import HIGH, Iovas, no_iovas
from workers.events.locked_tree import LockedTree
from workers.policy import trims
from workers.schema import RCACHE_BINS

WORKER = 1 << 30


class Rcache:
    """struct iova_rcache of a bin: a depot, and ``loaded`` and ``prev`` of each CPU."""

    __slots__ = ("depot", "high_from", "loaded", "lock", "number", "pages", "prev", "scanned", "work_due_ns")

    def __init__(self, cpus: int, number: int, mixed: bool) -> None:
        self.number, self.pages = number, 1 << number
        self.loaded = [no_iovas(mixed) for _ in range(cpus)]
        self.prev = [no_iovas(mixed) for _ in range(cpus)]
        self.scanned: list[Iovas | None] = [None] * cpus
        """A CPU's ``loaded`` once it was searched for IOVAs below 4 GiB, until something is pushed."""
        self.high_from = [0] * cpus
        """From this index on that ``loaded`` holds none; at 0 it is poisoned."""
        self.lock = Lock()
        self.depot: list[Iovas] = []
        self.work_due_ns = inf

    def is_poisoned(self, cpu: int) -> bool:
        """Whether ``loaded`` is known to hold IOVAs above 4 GiB alone."""
        loaded = self.loaded[cpu]
        return bool(loaded) and self.scanned[cpu] is loaded and not self.high_from[cpu]


class Rcaches:
    """All bins, of one scenario and its depot (plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], locked_tree: LockedTree, clocks: Clocks, counted: Counters) -> None:
        self.locked_tree, self.clocks, self.counted = locked_tree, clocks, counted
        mixed = len(locked_tree.tree.sizes) > 1
        self.bins = [Rcache(scenario["cpus"], number, mixed) for number in range(RCACHE_BINS)]
        self.local_ns = clocks.local_ns
        self.magazine_slab_ns = scenario["magazine_slab_ns"]
        self.usable_below = HIGH if scenario["dma32_first"] else inf
        """IOVAs below it are what a first attempt may take from a magazine."""
        self.mag_pfns = scenario["magazine_pfns"]
        self.capacity = inf if scenario["depot_kind"] == "list" else scenario["depot_capacity"]
        self.trim_threshold, self.trim_magazines = scenario["trim_threshold"], scenario["trim_magazines"]
        self.trim_ns = 1e6 * scenario["trim_period_ms"]
        self.trims = trims(scenario)
        clocks.others |= {-1 - rcache.number: partial(self._depot_work, rcache) for rcache in self.bins}
        self.overflowed = False
        """Whether a depot ever had no room for a magazine."""

    # --- frees ---

    def insert(self, cpu: int, now: float, rcache: Rcache, iovas: Iovas, entry_ns: float) -> Steps:
        """__iova_rcache_insert() of each IOVA, ``entry_ns`` before: ``loaded``, ``prev``, then a magazine to the depot,
        or to the tree; the clock."""
        most, at, heap, counted = self.mag_pfns, 0, self.clocks.heap, self.counted
        rcache.scanned[cpu] = None
        while at < len(iovas):
            loaded = rcache.loaded[cpu]
            if len(loaded) >= most:
                prev = rcache.prev[cpu]
                if len(prev) < most:
                    rcache.loaded[cpu], rcache.prev[cpu] = prev, loaded
                    continue
                now += self.magazine_slab_ns
                if heap[0][0] < now:
                    yield now
                now = self.clocks.enter(rcache.lock, cpu, now)
                rcache.lock.free_ns = now
                rcache.loaded[cpu] = loaded[:0]
                if len(rcache.depot) < self.capacity:
                    rcache.depot.append(loaded)
                    self._depot_changed(rcache, 1)
                    if self.trims and rcache.work_due_ns == inf:
                        self._schedule_work(rcache, now)
                else:
                    self.overflowed = True
                    if heap[0][0] < now:
                        yield now
                    now = self._free_magazine(cpu, now, rcache, loaded)
                continue
            some = iovas[at : at + most - len(loaded)]
            loaded += some
            at += len(some)
            now += len(some) * (entry_ns + self.local_ns)
            counted.cached_pages += len(some) * rcache.pages
            if counted.cached_pages > counted.cached_pages_peak:
                counted.cached_pages_peak = counted.cached_pages
        return now

    def _free_magazine(self, cpu: int, now: float, rcache: Rcache, iovas: Iovas) -> float:
        self.counted.cached_pages -= rcache.pages * len(iovas)
        return self.locked_tree.free_magazine(cpu, now, iovas)

    # --- maps ---

    def pop(self, cpu: int, rcache: Rcache, most: int, low: bool) -> Iovas:
        """Up to ``most`` IOVAs from ``loaded``, or from ``prev`` if that is empty; only some below 4 GiB if ``low``."""
        loaded = rcache.loaded[cpu]
        if not loaded:
            prev = rcache.prev[cpu]
            if not prev:
                return prev[:0]
            rcache.loaded[cpu], rcache.prev[cpu] = prev, loaded
            rcache.scanned[cpu] = None
            loaded = prev
        if low and self.locked_tree.tree.any_above_4g:
            return self._pop_low(cpu, rcache, loaded, most)
        some = loaded[-most:]
        del loaded[-most:]
        self.counted.cached_pages -= len(some) * rcache.pages
        some.reverse()
        return some

    def _pop_low(self, cpu: int, rcache: Rcache, loaded: Iovas, most: int) -> Iovas:
        """iova_magazine_pop(): the topmost low enough; the top one fills its hole."""
        below = min(rcache.high_from[cpu], len(loaded)) if rcache.scanned[cpu] is loaded else len(loaded)
        if below == len(loaded) and max(loaded[-most:]) < HIGH:
            some = loaded[-most:]
            del loaded[-most:]
            some.reverse()
        else:
            some = loaded[:0]
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
        self.counted.cached_pages -= len(some) * rcache.pages
        return some

    def may_pop(self, cpu: int, rcache: Rcache) -> bool:
        """Whether a first attempt may find something in a CPU's own magazines."""
        return not rcache.is_poisoned(cpu) if rcache.loaded[cpu] else bool(rcache.prev[cpu])

    def pop_one(self, cpu: int, rcache: Rcache, low: bool) -> int | None:
        """As ``pop``, one."""
        loaded = rcache.loaded[cpu]
        if loaded and (not low or loaded[-1] < HIGH):
            self.counted.cached_pages -= rcache.pages
            return loaded.pop()
        found = self.pop(cpu, rcache, 1, low)
        return found[0] if found else None

    def refill(self, cpu: int, now: float, rcache: Rcache) -> float:
        """Both magazines of a CPU that has given way are empty: the newest of the depot replaces ``loaded``, if there
        is one; its clock."""
        now = self.clocks.enter(rcache.lock, cpu, now)
        rcache.lock.free_ns = now
        if rcache.depot:
            now += self.magazine_slab_ns
            rcache.loaded[cpu] = rcache.depot.pop()
            self._depot_changed(rcache, -1)
        return now

    # --- depot ---

    def _depot_changed(self, rcache: Rcache, by: int) -> None:
        counted = self.counted
        counted.depot_magazines += by
        counted.depot_peak = max(counted.depot_peak, counted.depot_magazines)
        counted.bin_peak = max(counted.bin_peak, len(rcache.depot))

    def _schedule_work(self, rcache: Rcache, now: float) -> None:
        rcache.work_due_ns = now + self.trim_ns
        heappush(self.clocks.heap, (rcache.work_due_ns, -1 - rcache.number))

    def _depot_work(self, rcache: Rcache, now: float) -> None:
        """iova_depot_work_func(): frees the newest surplus magazines and runs again, or stops."""
        rcache.work_due_ns = inf
        now = rcache.lock.free_ns = self.clocks.enter(rcache.lock, WORKER, now)
        surplus = min(len(rcache.depot) - self.trim_threshold, self.trim_magazines)
        for _ in range(surplus):
            self._depot_changed(rcache, -1)
            now = self._free_magazine(WORKER, now, rcache, rcache.depot.pop())
        if surplus > 0:
            self._schedule_work(rcache, now)
