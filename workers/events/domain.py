"""An IOVA domain: rcaches in front of a tree, and which of them serves a size.

Source: drivers/iommu/iova.c (5.15), free_iova_fast().
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workers.events.clocks import Clocks, Steps
from workers.events.counters import Counters
from workers.events.iova import CLASS, Iovas
from workers.events.locked_tree import LockedTree
from workers.events.rcaches import Rcaches
from workers.mixes import size_classes
from workers.schema import RCACHE_BINS, RCACHE_MAX_PAGES

OVERSIZE = RCACHE_BINS


def rcache_bin(pages: int) -> int:
    """The size's bin, OVERSIZE above 32 pages."""
    return (pages - 1).bit_length() if pages <= RCACHE_MAX_PAGES else OVERSIZE


class Domain:
    """The allocator of one scenario and its depot (plain values by column name)."""

    def __init__(self, scenario: Mapping[str, Any], clocks: Clocks, counted: Counters) -> None:
        sizes = [pages for pages, _ in size_classes(scenario["iova_pages"])]
        self.mixed = len(sizes) > 1
        self.clocks, self.counted = clocks, counted
        self.locked_tree = LockedTree(scenario, sizes, clocks, counted)
        self.rcaches = Rcaches(scenario, self.locked_tree, clocks, counted)
        self.bins = [rcache_bin(pages) for pages in sizes]
        self.used_bins = sorted(set(self.bins))
        self.rcache_of = [self.rcaches.bins[b] if b != OVERSIZE else None for b in self.bins]
        """The rcache of each size class, None for oversize IOVAs."""

    def free(self, cpu: int, now: float, iovas: Iovas, entry_ns: float) -> Steps:
        """free_iova_fast() of ``iovas``, ``entry_ns`` each before; the clock."""
        heap = self.clocks.heap
        for size_bin, same in self._by_bin(iovas):
            if size_bin == OVERSIZE:
                for iova in same:
                    now += entry_ns
                    if heap[0][0] < now:
                        yield now
                    now = self.locked_tree.free(cpu, now, iova)
            elif same:
                now = yield from self.rcaches.insert(cpu, now, self.rcaches.bins[size_bin], same, entry_ns)
        return now

    def _by_bin(self, iovas: Iovas) -> Iterable[tuple[int, Iovas]]:
        """The IOVAs of each bin, in the order of bins."""
        if not self.mixed:
            return ((self.bins[0], iovas),)
        found: dict[int, Iovas] = {size_bin: [] for size_bin in self.used_bins}
        put = [found[size_bin].append for size_bin in self.bins]
        for iova in iovas:
            put[iova & CLASS](iova)
        return found.items()
