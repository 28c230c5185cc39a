"""The tree against a search that looks at every neighbour, and against the scalar twin's red-black tree."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.mapped import iovas_of
from workers.events import side
from workers.events.counters import Counters
from workers.events.iova import CLASS, CLASS_BITS
from workers.events.side import Side
from workers.events.slots import Slots
from workers.events.tree import LIMIT_48BIT, START_PFN, Tree
from workers.reference.flush_queue import DmaDomain
from workers.reference.kernels import KERNELS
from workers.reference.locks import run_alone
from workers.reference.replay import OneThread
from workers.schema import PFNS_BELOW_4G

SIZES = (1 << 11, 1 << 12, 3 << 12, 5 << 13)
FAR_BELOW = -(1 << 60)


def pfn(iova: int | None) -> int:
    """0 for none."""
    return (iova or 0) >> CLASS_BITS


def searched(tree: Tree, size: int, below_4g: bool) -> tuple[int, int]:
    """The pfn that a search would find, 0 if none, and its steps, neighbour by neighbour, as the kernel makes them."""
    align = 1 << (size - 1).bit_length()
    limit = PFNS_BELOW_4G if below_4g else LIMIT_48BIT
    spans = [(pfn(iova), pfn(iova) + tree.sizes[iova & CLASS] - 1) for iova in iovas_of(tree.low) + iovas_of(tree.high)]
    spans = [(FAR_BELOW, FAR_BELOW), *spans, (LIMIT_48BIT, LIMIT_48BIT)]
    start = next(i for i, (lo, _) in enumerate(spans) if lo == pfn(tree.cached32 if below_4g else tree.cached))

    def walk(at: int, floor: int) -> tuple[int, int]:
        steps = 0
        while True:
            found = (min(spans[at][0], limit) - size) // align * align
            at -= 1
            steps += 1
            if found > spans[at][1] or found < floor:
                return (found if found >= floor else 0), steps

    found, steps = walk(start, START_PFN)
    if found or spans[start][1] + 1 >= limit:
        return found, steps
    found, more = walk(next(i for i, (_, hi) in enumerate(spans) if hi >= limit), spans[start][1] + 1)
    return found, steps + more


def check_side(one: Side | Slots) -> None:
    every = [*iovas_of(one), one.top]
    assert every == sorted(set(every))
    assert one.lowest == every[0]
    assert [one.rank(iova) for iova in every] == list(range(len(every)))
    if isinstance(one, Slots):
        assert not one.used[-1]
        return
    assert one.firsts == [chunk.iovas[0] for chunk in one.chunks]
    for below, above in zip([one.bottom, *every], every, strict=False):
        c, i = one.place(above)
        assert one.chunks[c].iovas[i] == above
        end = pfn(below) + one.last_page[below & CLASS]
        assert one.chunks[c].fits[i] == sum((pfn(above) - size & mask) > end for size, mask in one.shapes)
    assert all(len(chunk.iovas) == len(chunk.fits) <= side.LARGEST_CHUNK for chunk in one.chunks)


@pytest.mark.parametrize("largest", [4, 64, 1024])
@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from((SIZES[:1], SIZES[:2], SIZES)),
    st.sampled_from((0.3, 0.48)),
    st.sampled_from((0.0, 0.05, 0.5)),
)
def test_any_order_of_maps_and_unmaps_finds_what_a_search_of_every_neighbour_finds(
    largest, seed, sizes, freed, above_4g
):
    rng = random.Random(seed)
    tree = Tree(sizes, 12.0, 40.0, 40.0, Counters())
    mapped = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "LARGEST_CHUNK", largest)
        for _ in range(1000):
            if mapped and rng.random() < freed:
                tree.remove(mapped.pop(rng.randrange(len(mapped))))
            else:
                size_class, below_4g = rng.randrange(len(sizes)), rng.random() >= above_4g
                expected = searched(tree, sizes[size_class], below_4g)
                before = tree.counted.walk_steps
                iova, _ = tree.allocate(size_class, below_4g)
                assert (pfn(iova), tree.counted.walk_steps - before) == expected
                if iova is not None:
                    assert iova & CLASS == size_class
                    mapped.append(iova)
        check_side(tree.low)
        check_side(tree.high)
    assert sorted(mapped) == iovas_of(tree.low) + iovas_of(tree.high)
    assert tree.counted.nodes == len(mapped)


@pytest.mark.parametrize("largest", [4, 1024])
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from((SIZES[:1], SIZES[2:3], SIZES[:2], SIZES, (1, 3, *SIZES))),
    st.integers(0, 700),
    st.booleans(),
)
def test_a_fill_is_as_one_map_after_the_other(largest, seed, sizes, number, low_first):
    """Up to spaces below 4 GiB that some sizes, or all, find full."""
    rng = random.Random(seed)
    size_classes = bytearray(rng.randrange(len(sizes)) for _ in range(number))
    tree, other = (Tree(sizes, 12.0, 40.0, 40.0, Counters()) for _ in range(2))
    expected = []
    for size_class in size_classes:
        iova = None
        if low_first and sizes[size_class] < other.max32_alloc_size:
            iova, _ = other.allocate(size_class, True)
        expected.append(other.allocate(size_class, False)[0] if iova is None else iova)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "LARGEST_CHUNK", largest)
        assert list(tree.fill(size_classes, low_first)) == expected
        check_side(tree.low)
        check_side(tree.high)
    assert sorted(expected) == iovas_of(tree.low) + iovas_of(tree.high)
    pointers = ("cached", "cached32", "newest", "newest32", "max32_alloc_size")
    assert [getattr(tree, name) for name in pointers] == [getattr(other, name) for name in pointers]
    assert (tree.counted.nodes, tree.counted.inserts, tree.counted.walk_steps) == (number, 0, 0)


@pytest.mark.parametrize("sizes", [(64,), (8, 64), (33, 200)])
def test_pfns_steps_and_costs_are_those_of_the_twin(sizes):
    """Costs differ in the depths of finds and inserts alone, which are means here."""
    rng = random.Random(1)
    tree = Tree(sizes, 12.0, 40.0, 40.0, Counters())
    twin = DmaDomain(KERNELS["5.15"], OneThread(1, 250, 100.0), 1, pci=True)
    mapped = []
    for _ in range(4000):
        if len(mapped) > 300 and rng.random() < 0.5:
            iova = mapped.pop(rng.randrange(len(mapped)))
            tree.remove(iova)
            run_alone(twin.free_iova_fast(0, pfn(iova), 64))
        else:
            size_class = rng.randrange(len(sizes))
            expected = run_alone(twin._alloc_iova(0, sizes[size_class], PFNS_BELOW_4G - 1)).lo
            iova, _ = tree.allocate(size_class, True)
            assert pfn(iova) == expected
            mapped.append(iova)
    assert tree.counted.walk_steps == twin.rb_prev
    assert tree.counted.erases == twin.rb_erase
    assert tree.find_ns() * tree.counted.erases / 12.0 == pytest.approx(twin.find_visits, rel=0.15)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((1, 5, 32, 1000, 1 << 14)), st.sampled_from((0.3, 0.48)))
def test_one_size_in_slots_is_as_any_sizes_in_chunks(seed, size, freed):
    rng = random.Random(seed)
    slots, any_size = Slots(size, PFNS_BELOW_4G), Side((size,), START_PFN, PFNS_BELOW_4G)
    mapped = []
    for _ in range(500):
        if mapped and rng.random() < freed:
            iova = mapped.pop(rng.randrange(len(mapped)))
            assert slots.remove(iova) == any_size.remove(iova)
        else:
            start = rng.choice([*mapped, slots.top])
            floor = rng.choice([START_PFN, pfn(start) // 2])
            found = slots.take(start, 0, floor)
            assert found == any_size.take(start, 0, floor)
            if found[0] is not None:
                mapped.append(found[0])
    assert iovas_of(slots) == iovas_of(any_size) == sorted(mapped)


def test_above_4_gib_a_search_begins_at_its_own_cached_node():
    tree = Tree((1,), 12.0, 40.0, 40.0, Counters())
    high, _ = tree.allocate(0, False)
    low, _ = tree.allocate(0, True)
    assert (pfn(high), pfn(low)) == (LIMIT_48BIT - 1, PFNS_BELOW_4G - 1)
    assert (tree.cached, tree.cached32, tree.high.lowest) == (high, low, high)
    tree.remove(high)
    assert tree.cached == tree.high.lowest == tree.anchor


def test_a_failed_search_passes_every_node_and_is_remembered_until_something_above_is_freed():
    tree = Tree((1 << 10,), 12.0, 40.0, 40.0, Counters())
    iovas = [tree.allocate(0, True)[0] for _ in range(1023)]
    before = tree.counted.walk_steps
    none, took_ns = tree.allocate(0, True)
    assert none is None
    assert tree.max32_alloc_size == 1 << 10
    assert tree.counted.walk_steps - before == pytest.approx(1023, abs=2)
    assert took_ns == pytest.approx(1023 * 12.0, rel=0.02)
    tree.remove(iovas[5])
    assert tree.max32_alloc_size == PFNS_BELOW_4G
    assert tree.allocate(0, True)[0] == iovas[5]
