"""The tree of a domain under iova_rbtree_lock: what is found and freed there, and how long it takes.

Source: drivers/iommu/iova.c (5.15), alloc_iova(), free_iova(), iova_magazine_free_pfns(). Who asks for the lock has
given way to those with lower clocks before, so a request is served at once; the exception is the depot's work from its
second magazine on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.events.clocks import Clocks, Lock
from workers.events.counters import Counters
from workers.events.iova import Iovas
from workers.events.tree import Tree


class LockedTree:
    """Of one scenario (plain values by column name), with IOVAs of ascending ``sizes`` in pages."""

    def __init__(self, scenario: Mapping[str, Any], sizes: Sequence[int], clocks: Clocks, counted: Counters) -> None:
        self.tree = Tree(
            sizes, scenario["rb_visit_ns"], scenario["rb_insert_ns"], scenario["rb_erase_ns"], counted
        )
        self.lock = Lock()
        self.counted = counted
        self.local_ns, self.remote_ns, self.handover_ns = clocks.local_ns, clocks.remote_ns, clocks.handover_ns
        self.iova_slab_ns, self.magazine_slab_ns = scenario["iova_slab_ns"], scenario["magazine_slab_ns"]

    def _hold(self, cpu: int, asked: float, took_ns: float) -> float:
        """iova_rbtree_lock, asked for at ``asked`` and held for ``took_ns``: the clock after it. As ``Clocks.enter``,
        written out: nothing is called more often."""
        lock, counted = self.lock, self.counted
        if lock.free_ns > asked:
            since = lock.free_ns + self.handover_ns
        else:
            since = asked + (self.local_ns if lock.last == cpu else self.remote_ns)
        lock.last = cpu
        counted.acquisitions += 1
        wait = since - asked
        counted.wait_ns += wait
        if wait > counted.wait_max_ns:
            counted.wait_max_ns = wait
        lock.free_ns = done = since + took_ns
        counted.held_ns += took_ns
        if done - asked > counted.irqs_off_max_ns:
            counted.irqs_off_max_ns = done - asked
        return done

    def search(self, cpu: int, asked: float, size_class: int, below_4g: bool) -> tuple[int | None, float]:
        """alloc_iova() of a CPU that asks for the lock now: the IOVA or None, and its clock."""
        tree, counted = self.tree, self.counted
        if counted.nodes >= counted.nodes_peak:
            counted.nodes_peak = counted.nodes + 1
        if below_4g and tree.refuses(size_class):
            return None, self._hold(cpu, asked, 0.0) + self.iova_slab_ns
        iova, took_ns = tree.allocate(size_class, below_4g)
        now = self._hold(cpu, asked, took_ns)
        if iova is None:
            now += self.iova_slab_ns
        return iova, now

    def free(self, cpu: int, asked: float, iova: int) -> float:
        """free_iova(); the clock."""
        tree = self.tree
        took_ns = tree.find_ns() + tree.erase_ns
        tree.remove(iova)
        return self._hold(cpu, asked, took_ns) + self.iova_slab_ns

    def free_magazine(self, cpu: int, asked: float, iovas: Iovas) -> float:
        """iova_magazine_free_pfns(): all in one hold of the lock; the clock."""
        tree = self.tree
        took_ns = len(iovas) * (tree.find_ns() + tree.erase_ns + self.iova_slab_ns)
        for iova in iovas:
            tree.remove(iova)
        return self._hold(cpu, asked, took_ns) + self.magazine_slab_ns
