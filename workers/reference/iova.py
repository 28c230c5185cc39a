"""drivers/iommu/iova.c, first half: the allocator over the red-black tree, under iova_rbtree_lock.

Pfns are 4 KiB pages; limits of the public functions are inclusive, those below them exclusive, as in the kernel.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from workers.reference.kernels import Kernel
from workers.reference.locks import RBTREE, Engine, Lock, Steps
from workers.reference.rbtree import ANCHOR_PFN, BOTTOM, Node, Tree
from workers.schema import COST_COLUMNS, PFNS_BELOW_4G

U64 = (1 << 64) - 1
NO_COSTS: dict[str, float] = dict.fromkeys((c.name for c in COST_COLUMNS), 0)
"""ns by column name, where time does not matter."""


def order_base_2(size: int) -> int:
    """Smallest n with 2^n >= size."""
    return (size - 1).bit_length() if size > 1 else 0


class IovaTree:
    """The part of struct iova_domain that the tree's lock guards, and what it counts."""

    def __init__(self, kernel: Kernel, engine: Engine, start_pfn: int, costs: dict[str, float]) -> None:
        """init_iova_domain(): only the anchor is in the tree."""
        self.kernel, self.engine, self.clock = kernel, engine, engine.clock
        self.acquire, self.release, self.acquired = engine.acquire, engine.release, engine.acquired
        self.visit_ns, self.erase_ns, self.insert_ns = (costs[f"rb_{k}_ns"] for k in ("visit", "erase", "insert"))
        self.iova_slab_ns = costs["iova_slab_ns"]
        self.start_pfn = start_pfn
        self.anchor = Node(ANCHOR_PFN, ANCHOR_PFN)
        self.tree = Tree(self.anchor)
        self.cached = self.cached32 = self.anchor
        self.max32_alloc_size = PFNS_BELOW_4G
        self.rbtree_lock = Lock(RBTREE)
        self.fail_iovas = 0
        self.rb_prev = self.rb_next = self.rb_erase = 0
        self.rb_insert = 1
        self.find_visits = self.insert_visits = self.limit_visits = 0
        self.iova_live = self.iova_allocs = self.iova_peak = 0
        self.warn = 0

    def _alloc_iova_mem(self, cpu: int) -> Node | None:
        """alloc_iova_mem(): None where the slab fails."""
        if self.fail_iovas:
            self.fail_iovas -= 1
            return None
        self.iova_allocs += 1
        self.iova_live += 1
        if self.iova_live > self.iova_peak:
            self.iova_peak = self.iova_live
        self.clock[cpu] += self.iova_slab_ns
        return Node(0, 0)

    def _free_iova_mem(self, cpu: int) -> None:
        """free_iova_mem()."""
        self.iova_live -= 1
        self.clock[cpu] += self.iova_slab_ns

    def _alloc_range(self, cpu: int, size: int, limit_pfn: int, new: Node) -> Steps:
        """__alloc_and_insert_iova_range(): True if a gap below ``limit_pfn`` (exclusive) was found."""
        align_mask = U64 & -(1 << order_base_2(size))
        rbtree_lock = self.rbtree_lock
        while not self.acquire(rbtree_lock, cpu):
            yield
        below_4g = limit_pfn <= PFNS_BELOW_4G
        if below_4g and size >= self.max32_alloc_size:
            self.release(rbtree_lock, cpu)
            return False
        node = self.cached32 if below_4g else self.cached
        retry_pfn = (node.hi + self.kernel.retry_wraps) & U64
        high_pfn, low_pfn = limit_pfn, self.start_pfn
        visits = 0
        while True:
            visits += 1
            for steps in count(1):  # down the tree, until an aligned gap fits  # noqa: B007
                lo = node.lo
                if lo < high_pfn:
                    high_pfn = lo
                new_pfn = (high_pfn - size) & align_mask
                place = node
                node = node.prev
                if not low_pfn <= new_pfn <= node.hi:
                    break
            self.rb_prev += steps
            visits += steps
            if high_pfn >= size and new_pfn >= low_pfn:
                break
            if low_pfn == self.start_pfn and retry_pfn < limit_pfn:
                high_pfn = limit_pfn
                low_pfn = retry_pfn + (not self.kernel.retry_wraps)
                node, looked_at = self._find_limit(limit_pfn)
                visits += looked_at
                continue
            self.clock[cpu] += visits * self.visit_ns
            self.max32_alloc_size = size
            self.release(rbtree_lock, cpu)
            return False
        new.lo, new.hi = new_pfn, new_pfn + size - 1
        inserted, looked_at = self.tree.insert(new, place)
        self.insert_visits += looked_at
        self.clock[cpu] += (visits + looked_at) * self.visit_ns
        if inserted:
            self.rb_insert += 1
            self.clock[cpu] += self.insert_ns
        else:
            self.warn += 1
        if new.hi < PFNS_BELOW_4G:  # __cached_rbnode_insert_update()
            self.cached32 = new
        else:
            self.cached = new
        self.release(rbtree_lock, cpu)
        return True

    def _find_limit(self, limit_pfn: int) -> tuple[Node, int]:
        """iova_find_limit(): the lowest node at or above the limit, and the nodes looked at."""
        if limit_pfn > PFNS_BELOW_4G:
            return self.anchor, 0
        node = self.tree.root
        visits = 1
        while node.hi < limit_pfn:
            node = node.right
            visits += 1
        searching = True
        while searching:
            searching = False
            while node.left is not None:
                visits += 1
                if node.left.lo < limit_pfn:
                    break
                node = node.left
            below = node.left
            while below is not None and below.right is not None:
                below = below.right
                visits += 1
                if below.lo >= limit_pfn:
                    node = below
                    searching = True
                    break
        self.limit_visits += visits
        return node, visits

    def _remove_iova(self, cpu: int, node: Node) -> None:
        """remove_iova() with __cached_rbnode_delete_update(): the cached nodes move up past what goes."""
        if node is self.cached32 or (node.hi < PFNS_BELOW_4G and node.lo >= self.cached32.lo):
            self.cached32 = node.next
            self.rb_next += 1
            self.max32_alloc_size = PFNS_BELOW_4G
        if self.kernel.every_free_reopens and node.lo < PFNS_BELOW_4G:
            self.max32_alloc_size = PFNS_BELOW_4G
        if node.lo >= self.cached.lo:
            self.cached = node.next
            self.rb_next += 1
        self.tree.erase(node)
        self.rb_erase += 1
        self.clock[cpu] += 2 * self.visit_ns + self.erase_ns

    def _alloc_iova(self, cpu: int, size: int, limit_pfn: int) -> Steps:
        """alloc_iova(): the new node, or None."""
        new = self._alloc_iova_mem(cpu)
        if new is None:
            return None
        if (yield from self._alloc_range(cpu, size, limit_pfn + 1, new)):
            return new
        self._free_iova_mem(cpu)
        return None

    def _free_iova(self, cpu: int, pfn: int) -> Steps:
        """free_iova(): find and remove under one hold of the lock."""
        rbtree_lock = self.rbtree_lock
        while not self.acquire(rbtree_lock, cpu):
            yield
        node, visits = self.tree.find(pfn)
        self.find_visits += visits
        self.clock[cpu] += visits * self.visit_ns
        if node is not None:
            self._remove_iova(cpu, node)
        self.release(rbtree_lock, cpu)
        if node is not None:
            self._free_iova_mem(cpu)

    def reserve_iova(self, cpu: int, lo: int, hi: int) -> Steps:
        """reserve_iova(): the node that covers lo..hi (inclusive), or None."""
        if (lo | hi) > U64 >> 12:
            self.warn += 1
            return None
        while not self.acquire(self.rbtree_lock, cpu):
            yield
        node: Any = self.anchor
        while node.prev is not BOTTOM:
            node = node.prev
        overlap = False
        found = None
        while node is not None:
            if lo <= node.hi and hi >= node.lo:
                node.lo = min(node.lo, lo)
                if hi > node.hi:
                    lo = node.hi + 1
                if lo >= node.lo and hi <= node.hi:
                    found = node
                    break
                overlap = True
            elif overlap:
                break
            node = node.next
            self.rb_next += 1
        if found is None:
            found = self._alloc_iova_mem(cpu)
            if found is not None:
                found.lo, found.hi = lo, hi
                inserted, looked_at = self.tree.insert(found, self.tree.root)
                self.insert_visits += looked_at
                self.rb_insert += inserted
                self.warn += not inserted
        self.release(self.rbtree_lock, cpu)
        return found
