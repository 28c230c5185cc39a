"""The twin's parts: the tree's rules, the hash, conservation of IOVAs, and the heap's order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.reference.clocks import VirtualTime
from workers.reference.flush_queue import DmaDomain
from workers.reference.fnv import OFFSET, PRIME, fnv1a
from workers.reference.iova import NO_COSTS
from workers.reference.kernels import KERNELS
from workers.reference.locks import run_alone
from workers.reference.rbtree import ANCHOR_PFN, BOTTOM, Node, Tree
from workers.reference.replay import OneThread


def black_height(node, low, high):
    """Checks order, colours and parents below ``node``; black nodes on each path."""
    if node is None:
        return 0
    assert low < node.lo < high
    for child in (node.left, node.right):
        if child is not None:
            assert child.parent is node
            assert not (node.red and child.red)
    left, right = black_height(node.left, low, node.lo), black_height(node.right, node.lo, high)
    assert left == right
    return left + (not node.red)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=150))
def test_the_tree_keeps_its_rules_and_its_threads(changes):
    anchor = Node(ANCHOR_PFN, ANCHOR_PFN)
    tree, nodes = Tree(anchor), {ANCHOR_PFN: anchor}
    for add, pfn in changes:
        if add:
            node = Node(pfn, pfn)
            inserted, _ = tree.insert(node, tree.root)
            assert inserted == (pfn not in nodes)
            nodes.setdefault(pfn, node)
        elif pfn in nodes:
            tree.erase(nodes.pop(pfn))
        assert not tree.root.red
        black_height(tree.root, -1, ANCHOR_PFN + 1)
        order, node = [], anchor
        while node is not BOTTOM:
            assert node.next is None or node.next.prev is node
            order.append(node.lo)
            node = node.prev
        assert order == sorted(nodes, reverse=True)
        found, visits = tree.find(pfn)
        assert found is nodes.get(pfn)
        assert visits <= 2 * len(nodes).bit_length() + 1


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_the_hash_is_fnv1a(words):
    expected = OFFSET
    for word in words:
        for byte in word.to_bytes(8, "little"):
            expected = (expected ^ byte) * PRIME % 2**64
    assert fnv1a(words) == expected


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(KERNELS)),
    st.lists(
        st.tuples(st.sampled_from(["map", "map", "unmap", "unmap", "timer", "work", "full"]), st.integers(0, 2**16)),
        max_size=120,
    ),
)
def test_iovas_are_conserved(kernel, actions):
    """Live nodes = in flight + queued + cached at every step, and no two IOVAs overlap."""
    engine = OneThread(2, 1000, 100)
    domain = DmaDomain(KERNELS[kernel], engine, 2, pci=True)
    in_flight: list[tuple[int, int]] = []
    for action, n in actions:
        cpu = n & 1
        if action == "map":
            for _ in range(n % 150):
                pages = 1 << n % 7
                in_flight.append((run_alone(domain.iommu_dma_alloc_iova(cpu, pages, (1 << 36) - 1)), pages))
        elif action == "unmap":
            for _ in range(min(n % 290, len(in_flight))):
                run_alone(domain.queue_iova(cpu, *in_flight.pop(n % len(in_flight))))
        elif action == "timer":
            run_alone(domain.fq_flush_timeout(cpu))
        elif action == "work":
            run_alone(domain.depot_work(cpu, n % 6))
        else:
            for rest in (domain.free_cpu_cached_iovas(cpu, cpu), domain._free_global_cached_iovas(cpu)):
                run_alone(rest)
        cached = sum(
            len(mag) for r in domain.rcaches for mag in (*r.depot, *(m for c in r.cpus for m in (c.loaded, c.prev)))
        )
        queued = sum(len(ring.entries) for ring in domain.rings)
        assert domain.iova_live == len(in_flight) + queued + cached
        assert domain.rb_insert - domain.rb_erase == domain.iova_live + 1
        assert engine.held == [0, 0, 0, 0]
        node = domain.anchor
        while node.prev is not BOTTOM:
            assert node.prev.hi < node.lo
            node = node.prev
    pages = sum(
        len(mag) * r.pages
        for r in domain.rcaches
        for mag in (*r.depot, *(m for c in r.cpus for m in (c.loaded, c.prev)))
    )
    assert domain.cached_pages == pages <= domain.cached_pages_peak
    assert domain.warn == 0


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_the_heap_gives_the_lowest_clock_first(times):
    engine = VirtualTime(len(times), 250, dict.fromkeys((*NO_COSTS, "lock_handover_ns"), 0.0), 100)
    for cpu, at in enumerate(times):
        engine.clock[cpu] = at
        engine.push(cpu)
    popped = [engine.pop() for _ in times]
    assert sorted(popped) == list(range(len(times)))
    assert [engine.clock[cpu] for cpu in popped] == sorted(times)
