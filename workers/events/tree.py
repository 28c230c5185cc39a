"""The IOVAs of a domain in address order, as the kernel's rbtree walks them, and what each visit costs.

Source: drivers/iommu/iova.c (5.15), __alloc_and_insert_iova_range(), __cached_rbnode_delete_update(),
remove_iova(). The kernel walks from neighbour to neighbour, so neighbours are what is kept; how deep a node lies in
the tree is taken as the mean depth. Neighbours come in chunks, and a chunk that was searched in vain is passed at
once until something in it is freed: the steps are counted, not made.
"""

from __future__ import annotations

from math import inf, log2
from typing import Any

from workers.schema import PFNS_BELOW_4G

START_PFN = 1
FARTHEST = 1 << 64
INSERT_VISITS = 2.4
"""Nodes looked at to insert, in the mean: the descent from the node above."""

NEWEST_INSERT_VISITS = 1.0
"""The same where that was the last one inserted on its side of 4 GiB: as a rule nothing is below it in the tree."""

LARGEST_CHUNK = 128
SMALLEST_CHUNK = 16


class Chunk:
    """Neighbours from ``top`` down; ``below`` and ``above`` are the next chunks. ``full_from``: the least size in pages
    that was searched for in vain below one of its nodes; larger ones are aligned to more and do not fit either."""

    __slots__ = ("above", "below", "count", "full_from", "top")

    def __init__(self, top: Node, count: int) -> None:
        self.top, self.count = top, count
        self.full_from = inf
        self.above: Any = None
        self.below: Any = None


class Node:
    """struct iova: pfns ``lo`` to ``hi``, its neighbours by address, its rcache bin."""

    __slots__ = ("bin", "chunk", "hi", "lo", "low", "next", "prev")
    prev: Any  # Node; Any spares the reader a check at each step of a walk
    next: Any
    chunk: Any

    def __init__(self, lo: int, hi: int, rcache_bin: int) -> None:
        self.lo, self.hi, self.bin = lo, hi, rcache_bin
        self.low = hi < PFNS_BELOW_4G
        self.prev = self.next = self.chunk = None


class Tree:
    """The nodes, the cached nodes, and counters; costs in ns."""

    def __init__(self, visit_ns: float, insert_ns: float, erase_ns: float) -> None:
        self.visit_ns, self.insert_ns = visit_ns, insert_ns
        self.erase_ns = 2 * visit_ns + erase_ns
        self.bottom = Node(-FARTHEST, -FARTHEST, 0)
        self.anchor = Node(FARTHEST, FARTHEST, 0)
        self.bottom.next, self.anchor.prev = self.anchor, self.bottom
        self.anchor.chunk = Chunk(self.anchor, 1)
        self.cached = self.cached32 = self.lowest_high = self.anchor
        self.newest = self.newest32 = self.anchor
        self.max32_alloc_size = PFNS_BELOW_4G
        self.nodes = 0
        self.inserts = self.erases = self.walk_steps = 0

    def find_ns(self) -> float:
        """Mean cost of finding a node by its pfn."""
        return self.visit_ns * max(log2(self.nodes + 1.0) - 1.0, 1.0)

    def allocate(self, size: int, rcache_bin: int, limit: int) -> tuple[Node | None, float]:
        """The highest aligned gap from the cached node down, ``limit`` exclusive: the node (None: none), and the time.

        A search that gets to the bottom begins once more at the limit and ends where it began.
        """
        below_4g = limit <= PFNS_BELOW_4G
        start = node = self.cached32 if below_4g else self.cached
        passed = 0
        while below_4g and not node.low and node is not self.lowest_high:  # what was mapped above since it was cached
            node = node.prev
            passed += 1
        above, pfn, steps = self._walk(node, size, limit, START_PFN)
        steps += passed
        visits = 1.0 + steps
        if not pfn and start.hi + 1 < limit:
            again = self.lowest_high if below_4g else self.anchor
            above, pfn, more = self._walk(again, size, limit, start.hi + 1)
            visits += more + log2(self.nodes + 1.0)
            steps += more
        self.walk_steps += steps
        if not pfn:
            if below_4g:
                self.max32_alloc_size = size
            return None, visits * self.visit_ns
        visits += NEWEST_INSERT_VISITS if above is self.newest or above is self.newest32 else INSERT_VISITS
        new = Node(pfn, pfn + size - 1, rcache_bin)
        self._link(new, above)
        return new, visits * self.visit_ns + self.insert_ns

    def _walk(self, node: Node, size: int, limit: int, floor: int) -> tuple[Node, int, int]:
        """From ``node`` down to the first gap for ``size`` pages, aligned, at pfn ``floor`` or above.

        The node above the gap, the gap's pfn (0: there is none), and calls of rb_prev.
        """
        mask = -(1 << (size - 1).bit_length())
        lo = min(node.lo, limit)
        chunk, whole = node.chunk, False
        steps = 0
        while True:
            pfn = (lo - size) & mask
            above, node = node, node.prev
            steps += 1
            if pfn > node.hi:
                return above, pfn if pfn >= floor else 0, steps
            if pfn < floor:
                return above, 0, steps
            if node.chunk is not chunk:
                if whole:
                    chunk.full_from = size
                chunk, whole = node.chunk, True
                while chunk.full_from <= size and chunk.below is not None and chunk.below.top.lo - size & mask >= floor:
                    steps += chunk.count
                    chunk = chunk.below
                    node = chunk.top
            lo = node.lo

    def _link(self, new: Node, above: Node) -> None:
        below = above.prev
        new.prev, new.next = below, above
        below.next = above.prev = new
        chunk = new.chunk = above.chunk
        chunk.count += 1
        if chunk.count > LARGEST_CHUNK:
            _split(chunk)
        self.inserts += 1
        self.nodes += 1
        if new.low:
            self.cached32 = self.newest32 = new
        else:
            self.cached = self.newest = new
            if above is self.lowest_high:
                self.lowest_high = new

    def remove(self, node: Node) -> None:
        """Takes ``node`` out; the cached nodes move up past it, and the search below 4 GiB is open again."""
        above, below = node.next, node.prev
        if node is self.cached32 or (node.low and node.lo >= self.cached32.lo):
            self.cached32 = above
            self.max32_alloc_size = PFNS_BELOW_4G
        if node.lo >= self.cached.lo:
            self.cached = above
        if node is self.lowest_high:
            self.lowest_high = above
        above.prev, below.next = below, above
        self.nodes -= 1
        self.erases += 1
        above.chunk.full_from = inf
        chunk = node.chunk
        chunk.count -= 1
        if chunk.top is node:
            chunk.top = below
        if chunk.count < SMALLEST_CHUNK:
            _shrink(chunk)


def _split(chunk: Chunk) -> None:
    """Makes the lower half of ``chunk`` one of its own."""
    half = chunk.count // 2
    node = chunk.top
    for _ in range(half):
        node = node.prev
    lower = Chunk(node, chunk.count - half)
    lower.full_from, lower.above, lower.below = chunk.full_from, chunk, chunk.below
    if chunk.below is not None:
        chunk.below.above = lower
    chunk.below, chunk.count = lower, half
    for _ in range(lower.count):
        node.chunk = lower
        node = node.prev


def _shrink(chunk: Chunk) -> None:
    """Takes an empty chunk out; gives a small one the nodes of the next, if they are few."""
    below = chunk.below
    if not chunk.count:
        chunk.above.below = below
        if below is not None:
            below.above = chunk.above
    elif below is not None and below.count < LARGEST_CHUNK // 2:
        node = below.top
        for _ in range(below.count):
            node.chunk = chunk
            node = node.prev
        chunk.count += below.count
        chunk.full_from = max(chunk.full_from, below.full_from)
        chunk.below = below.below
        if chunk.below is not None:
            chunk.below.above = chunk
