"""The tree against a search that looks at every neighbour, and against the scalar twin's red-black tree."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.events.tree import START_PFN, Tree
from workers.reference.flush_queue import DmaDomain
from workers.reference.kernels import KERNELS
from workers.reference.locks import run_alone
from workers.reference.replay import OneThread
from workers.schema import PFNS_BELOW_4G

LIMIT_48BIT = 1 << 36
SIZES = (1 << 11, 1 << 12, 3 << 12, 5 << 13)


def nodes_of(tree: Tree) -> list:
    """From the top down, without the anchor."""
    out, node = [], tree.anchor.prev
    while node is not tree.bottom:
        out.append(node)
        node = node.prev
    return out


def searched(tree: Tree, size: int, limit: int) -> tuple[int, int]:
    """The pfn that a search would find, 0 if none, and its steps, neighbour by neighbour."""
    align = 1 << (size - 1).bit_length()
    start = tree.cached32 if limit == PFNS_BELOW_4G else tree.cached

    def walk(node, floor: int) -> tuple[int, int]:
        steps = 0
        while True:
            pfn = (min(node.lo, limit) - size) // align * align
            node = node.prev
            steps += 1
            if pfn > node.hi or pfn < floor:
                return (pfn if pfn >= floor else 0), steps

    pfn, steps = walk(start, START_PFN)
    if pfn or start.hi + 1 >= limit:
        return pfn, steps
    at_limit = next((node for node in reversed(nodes_of(tree)) if node.hi >= limit), tree.anchor)
    pfn, more = walk(at_limit, start.hi + 1)
    return pfn, steps + more


def check_chunks(tree: Tree) -> None:
    chunk, node = tree.anchor.chunk, tree.anchor
    seen = 0
    while chunk is not None:
        assert chunk.top is node
        for _ in range(chunk.count):
            assert node.chunk is chunk
            node = node.prev
        seen += chunk.count
        assert chunk.below is None or chunk.below.above is chunk
        chunk = chunk.below
    assert seen == tree.nodes + 1
    assert node is tree.bottom


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from((SIZES[:1], SIZES[:2], SIZES)),
    st.sampled_from((0.3, 0.48)),
    st.sampled_from((0.0, 0.05, 0.5)),
)
def test_any_order_of_maps_and_unmaps_finds_what_a_search_of_every_neighbour_finds(seed, sizes, freed, above_4g):
    rng = random.Random(seed)
    tree = Tree(12.0, 40.0, 40.0)
    mapped = []
    for _ in range(1500):
        if mapped and rng.random() < freed:
            tree.remove(mapped.pop(rng.randrange(len(mapped))))
        else:
            size, limit = rng.choice(sizes), LIMIT_48BIT if rng.random() < above_4g else PFNS_BELOW_4G
            pfn, steps = searched(tree, size, limit)
            before = tree.walk_steps
            node, _ = tree.allocate(size, 0, limit)
            assert (node.lo if node else 0) == pfn
            assert node is None or limit > PFNS_BELOW_4G or node.low
            assert tree.walk_steps - before == steps
            if node:
                mapped.append(node)
    check_chunks(tree)
    lows = [node.lo for node in nodes_of(tree)]
    assert lows == sorted(lows, reverse=True)
    assert len(lows) == tree.nodes == len(mapped)


@pytest.mark.parametrize("sizes", [(64,), (8, 64), (33, 200)])
def test_pfns_steps_and_costs_are_those_of_the_twin(sizes):
    """Costs differ in the depths of finds and inserts alone, which are means here."""
    rng = random.Random(1)
    tree = Tree(12.0, 40.0, 40.0)
    twin = DmaDomain(KERNELS["5.15"], OneThread(1, 250, 100.0), 1)
    mapped = []
    for _ in range(4000):
        if len(mapped) > 300 and rng.random() < 0.5:
            node, pfn = mapped.pop(rng.randrange(len(mapped)))
            tree.remove(node)
            run_alone(twin.free_iova_fast(0, pfn, 64))
        else:
            size = rng.choice(sizes)
            pfn = run_alone(twin._alloc_iova(0, size, PFNS_BELOW_4G - 1)).lo
            node, _ = tree.allocate(size, 0, PFNS_BELOW_4G)
            assert node.lo == pfn
            mapped.append((node, pfn))
    assert tree.walk_steps == twin.rb_prev
    assert tree.erases == twin.rb_erase
    assert tree.find_ns() * tree.erases / 12.0 == pytest.approx(twin.find_visits, rel=0.15)


def test_above_4_gib_a_search_begins_at_its_own_cached_node():
    tree = Tree(12.0, 40.0, 40.0)
    high, _ = tree.allocate(1, 0, LIMIT_48BIT)
    low, _ = tree.allocate(1, 0, PFNS_BELOW_4G)
    assert (high.lo, low.lo) == (LIMIT_48BIT - 1, PFNS_BELOW_4G - 1)
    assert (tree.cached, tree.cached32, tree.lowest_high) == (high, low, high)
    tree.remove(high)
    assert tree.cached is tree.lowest_high is tree.anchor


def test_a_failed_search_passes_every_node_and_is_remembered_until_something_above_is_freed():
    tree = Tree(12.0, 40.0, 40.0)
    nodes = [tree.allocate(1 << 10, 0, PFNS_BELOW_4G)[0] for _ in range(1023)]
    before = tree.walk_steps
    node, took_ns = tree.allocate(1 << 10, 0, PFNS_BELOW_4G)
    assert node is None
    assert tree.max32_alloc_size == 1 << 10
    assert tree.walk_steps - before == pytest.approx(1023, abs=2)
    assert took_ns == pytest.approx(1023 * 12.0, rel=0.02)
    tree.remove(nodes[5])
    assert tree.max32_alloc_size == PFNS_BELOW_4G
    again, _ = tree.allocate(1 << 10, 0, PFNS_BELOW_4G)
    assert again.lo == nodes[5].lo
