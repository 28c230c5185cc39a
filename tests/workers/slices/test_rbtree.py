"""Walks without the tree, against a tree of one size as it is: slots in a row, the highest free one taken."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.slices import rbtree
from workers.slices.rbtree import BANDS

HOLES = st.lists(st.integers(0, 400), min_size=BANDS, max_size=BANDS).map(lambda h: np.array([h], float))
RANK = st.floats(0, 1).map(lambda c: np.array([c]))
COUNT = st.integers(0, 3000).map(lambda n: np.array([float(n)]))


@given(RANK, COUNT)
def test_frees_only_move_the_cached_node_up(cached, freed):
    after, moved = rbtree.free(cached, freed)
    assert 0 <= after <= cached + 1e-12
    assert 0 <= moved <= 1
    if not freed:
        assert (after, moved) == (pytest.approx(cached), 0)


@given(HOLES, RANK, COUNT, COUNT)
def test_filling_takes_holes_from_the_top_and_loses_none(holes, cached, nodes, want):
    walk = rbtree.fill(holes, cached, nodes, want)
    assert walk.taken == min(want[0], holes.sum())
    assert walk.holes.sum() == pytest.approx(holes.sum() - walk.taken[0])
    assert (walk.holes >= 0).all()
    assert (walk.holes <= holes).all()
    assert walk.passed >= 0
    assert cached <= walk.cached <= 1
    touched = np.flatnonzero(walk.holes[0] < holes[0])
    if len(touched):
        assert not walk.holes[0, : touched[-1]].any()


@given(RANK, COUNT, COUNT, COUNT, st.floats(0, 0.999))
def test_churn_refills_or_leaves_every_free(cached, nodes, freed, want, u):
    done = rbtree.churn(cached, nodes, freed, want, np.array([u]))
    assert done.refilled == np.floor(done.refilled)
    assert 0 <= done.refilled <= min(freed, want)
    assert done.holes.sum() == pytest.approx(freed[0] - done.refilled[0])
    assert (done.holes >= -1e-9).all()
    assert done.passed >= 0
    assert 0 <= done.cached <= cached


class Slots:
    """Slots in a row, highest first; a walk starts at the slot allocated last, or at the node above a later free."""

    def __init__(self, nodes: int, free: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.used = [True] * (nodes + free)
        for slot in self.random.sample(range(nodes + free), free):
            self.used[slot] = False
        self.cached = -1
        self.passed = 0

    def free(self) -> None:
        slot = self.random.choice([i for i in range(len(self.used)) if self.used[i]])
        self.used[slot] = False
        if slot <= self.cached:
            while slot >= 0 and not self.used[slot]:
                slot -= 1
            self.cached = slot

    def allocate(self) -> None:
        slot = self.cached + 1
        while self.used[slot]:
            slot += 1
            self.passed += 1
        self.used[slot] = True
        self.cached = slot

    def passed_a_cycle(self, number: int, shuffled: bool) -> float:
        """Nodes passed in a cycle of ``number`` frees and then as many allocations, or of both in random order."""
        for cycle in range(2 * CYCLES):
            if cycle == CYCLES:  # the first half forgets how the slots began
                self.passed = 0
            frees = [True] * number + [False] * number
            if shuffled:
                self.random.shuffle(frees)
            for free in frees:
                self.free() if free else self.allocate()
        return self.passed / CYCLES


CYCLES = 40


def modelled(nodes: int, free: int, number: int, shuffled: bool) -> float:
    """The same from the closures."""
    rng = np.random.default_rng(0)
    holes, cached = np.full((1, BANDS), free / BANDS), np.zeros(1)
    in_use, count = np.array([float(nodes)]), np.array([float(number)])
    passed = 0.0
    for cycle in range(2 * CYCLES):
        want = count
        met = 0.0
        if shuffled:
            churn = rbtree.churn(cached, in_use, count, count, rng.random(1))
            holes, cached, want, met = holes + churn.holes, churn.cached, count - churn.refilled, churn.passed[0]
        else:
            cached, _ = rbtree.free(cached, count)
            holes = holes + number / BANDS
        walk = rbtree.fill(holes, cached, in_use - (0 if shuffled else count), want)
        assert walk.taken == want
        holes, cached = walk.holes, walk.cached
        passed += (met + walk.passed[0]) * (cycle >= CYCLES)
    return passed / CYCLES


@pytest.mark.parametrize(
    ("nodes", "free", "number", "shuffled", "tolerance"),
    [
        (1000, 0, 16, False, 0.15),
        (1000, 0, 200, False, 0.1),
        (1000, 200, 4, False, 0.2),
        (1000, 200, 64, False, 0.15),
        (2000, 40, 16, False, 0.15),
        (2000, 40, 128, False, 0.15),
        (1000, 1000, 64, False, 0.3),  # where half of the slots are free, holes sink further than the bands tell
        (2000, 40, 128, True, 0.6),
        (1000, 200, 64, True, 0.6),  # as many frees as allocations: pending holes keep the walks nearer to the top
        (2000, 40, 32, True, 0.5),
    ],
)
def test_walks_are_as_long_as_in_a_row_of_slots(nodes, free, number, shuffled, tolerance):
    real = np.mean([Slots(nodes, free, seed).passed_a_cycle(number, shuffled) for seed in (1, 2)])
    assert modelled(nodes, free, number, shuffled) == pytest.approx(real, rel=tolerance)


@pytest.mark.parametrize(("cached", "freed"), [(1.0, 1), (1.0, 20), (0.3, 1), (0.3, 5), (0.02, 20)])
def test_the_highest_of_random_frees(cached, freed):
    highest = np.random.default_rng(1).random((40_000, freed)).min(1)
    mean, moved = rbtree.free(np.array([cached]), np.array([float(freed)]))
    assert mean[0] == pytest.approx(np.minimum(highest, cached).mean(), rel=0.02)
    assert moved[0] == pytest.approx((highest < cached).mean(), abs=0.01)
