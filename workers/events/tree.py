"""The IOVAs of a domain in address order, as the kernel's rbtree walks them, and what each visit costs.

Source: drivers/iommu/iova.c (5.15), __alloc_and_insert_iova_range(), __cached_rbnode_delete_update(),
remove_iova(). The kernel walks from neighbour to neighbour; here steps are counted, not made, and how deep a node lies
in the tree is taken as the mean depth. Above 4 GiB there is always room, so no search gets from there to below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from workers.events.counters import Counters
from workers.events.iova import CLASS, CLASS_BITS, HIGH, Iovas, no_iovas
from workers.events.side import Side
from workers.events.slots import Slots
from workers.schema import PFNS_BELOW_4G

START_PFN = 1
LIMIT_48BIT = 1 << 36
MEAN_INSERT_VISITS = 2.5
"""Nodes looked at to insert, in the mean: the descent from the node above. Both as measured with the twin."""

NEWEST_INSERT_VISITS = 1.2
"""The same where that was the last one inserted on its side of 4 GiB: as a rule nothing is below it in the tree, but
where a row comes to older nodes."""


def _side(sizes: Sequence[int], floor: int, limit: int) -> Side | Slots:
    return Side(sizes, floor, limit) if len(sizes) > 1 else Slots(sizes[0], limit)


class Tree:
    """The IOVAs, of classes of ascending ``sizes`` in pages, and the cached ones; costs in ns."""

    def __init__(
        self, sizes: Sequence[int], visit_ns: float, insert_ns: float, erase_ns: float, counted: Counters
    ) -> None:
        self.sizes, self.visit_ns, self.insert_ns = sizes, visit_ns, insert_ns
        self.erase_ns = 2 * visit_ns + erase_ns
        self.low = _side(sizes, START_PFN, PFNS_BELOW_4G)
        self.high = _side(sizes, PFNS_BELOW_4G, LIMIT_48BIT)
        self.anchor = self.cached = self.cached32 = self.newest = self.newest32 = self.high.top
        self.max32_alloc_size = PFNS_BELOW_4G
        self.counted = counted
        self.in_rows = 1.0
        """Share of inserts right below the one before, of about as many as there are nodes."""

    @property
    def any_above_4g(self) -> bool:
        return self.high.lowest != self.anchor

    def find_ns(self) -> float:
        """Mean cost of finding a node by its pfn.

        Nodes of a red-black tree into which they come in a row lie half a level deeper in the mean than those of a full
        one, log2(n + 1) - 1: along its edge every second level is red. Where they fill holes all over the tree, as
        leaves, the oldest, which are freed next, have risen to half a level above it. In between it goes with the
        share that came in rows (docs/model.md says how near that is).
        """
        return self.visit_ns * max(log2(self.counted.nodes + 1.0) - 1.5 + self.in_rows, 1.0)

    def refuses(self, size_class: int) -> bool:
        """Whether a first attempt is refused without a search."""
        return self.sizes[size_class] >= self.max32_alloc_size

    def allocate(self, size_class: int, below_4g: bool) -> tuple[int | None, float]:
        """The highest aligned gap from the cached node down: the IOVA (None: none), and the time.

        A search that gets to the bottom begins once more at the limit and ends where it began.
        """
        passed, counted = 0, self.counted
        if below_4g:
            side, start = self.low, self.cached32
            if start >= HIGH:  # what was mapped above since it was cached
                passed, start = self.high.rank(start), side.top
        else:
            side, start = self.high, self.cached
        new, above, steps = side.take(start, size_class, START_PFN)
        steps += passed
        visits = 1.0 + steps
        if new is None:
            start = self.cached32 if below_4g else self.cached
            floor = (start >> CLASS_BITS) + self.sizes[start & CLASS]
            if floor < PFNS_BELOW_4G:
                new, above, more = side.take(side.top, size_class, floor)
                visits += more + log2(counted.nodes + 1.0)
                steps += more
        counted.walk_steps += steps
        if new is None:
            self.max32_alloc_size = self.sizes[size_class]
            return None, visits * self.visit_ns
        if above == self.low.top:
            above = self.high.lowest
        in_row = above in (self.newest, self.newest32)
        visits += NEWEST_INSERT_VISITS if in_row else MEAN_INSERT_VISITS
        if below_4g:
            self.cached32 = self.newest32 = new
        else:
            self.cached = self.newest = new
        counted.inserts += 1
        counted.nodes += 1
        self.in_rows += (in_row - self.in_rows) / counted.nodes
        return new, visits * self.visit_ns + self.insert_ns

    def fill(self, size_classes: bytearray, low_first: bool) -> Iovas:
        """As ``allocate`` of one class after the other in an empty tree, below 4 GiB if ``low_first`` and while there
        is room; counts nothing but nodes."""
        iovas = self._extend(size_classes, True) if low_first else no_iovas(len(self.sizes) > 1)
        left = size_classes[len(iovas) :]
        holes = [self._from_hole(size_class) if low_first else None for size_class in left]
        high = self._extend(bytearray(c for c, iova in zip(left, holes, strict=True) if iova is None), False)
        high.reverse()
        iovas.extend(high.pop() if iova is None else iova for iova in holes)
        self.counted.inserts = self.counted.walk_steps = 0
        self.in_rows = 1.0
        return iovas

    def _from_hole(self, size_class: int) -> int | None:
        """A first attempt of the fill."""
        return None if self.refuses(size_class) else self.allocate(size_class, True)[0]

    def _extend(self, size_classes: bytearray, below_4g: bool) -> Iovas:
        """Maps the first of them, those for which there is room below the lowest of a side."""
        iovas: Iovas
        if below_4g:
            iovas = self.low.extend(size_classes, START_PFN)
            if iovas:
                self.cached32 = self.newest32 = iovas[-1]
        else:
            iovas = self.high.extend(size_classes, PFNS_BELOW_4G)
            if iovas:
                self.cached = self.newest = iovas[-1]
        self.counted.nodes += len(iovas)
        return iovas

    def remove(self, iova: int) -> None:
        """Takes ``iova`` out; the cached ones move up past it, and the search below 4 GiB is open again."""
        if iova < HIGH:
            above = self.low.remove(iova)
            if above == self.low.top:
                above = self.high.lowest
            moves = iova >= self.cached32
        else:
            above = self.high.remove(iova)
            moves = iova == self.cached32
            if iova >= self.cached:
                self.cached = above
        if moves:
            self.cached32 = above
            self.max32_alloc_size = PFNS_BELOW_4G
        self.counted.nodes -= 1
        self.counted.erases += 1
