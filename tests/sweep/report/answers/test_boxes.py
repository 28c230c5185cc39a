"""Boxes of lockups: planted ones come back, noise does not become a rule."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.report.answers.boxes import LEAST_PRECISION, boxes, covered

GRID = np.array(list(product(range(6), range(5), range(4))))
ONES = np.ones(len(GRID), np.int64)


def in_box(low: tuple[int, ...], high: tuple[int, ...]) -> np.ndarray:
    return ((low <= GRID) & (high >= GRID)).all(axis=1)


@given(st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)) for n in (6, 5, 4))))
@settings(max_examples=60, deadline=None)
def test_one_box_comes_back_whole(ends: tuple[tuple[int, int], ...]) -> None:
    low, high = tuple(min(pair) for pair in ends), tuple(max(pair) for pair in ends)
    truth = in_box(low, high)
    found = boxes(GRID, ONES, truth.astype(np.int64))
    if truth.sum() < 30:  # of a few cells a condition may not be worth having
        return
    assert (covered(GRID, found[:1]) == truth).all()
    assert (found[0].rows, found[0].locked) == (truth.sum(), truth.sum())


def test_two_boxes_come_back_the_larger_first() -> None:
    truth = in_box((3, 0, 0), (5, 4, 3)) | in_box((0, 3, 2), (5, 4, 3))
    found = boxes(GRID, ONES, truth.astype(np.int64))
    assert len(found) == 2
    assert found[0].low.tolist() == [3, 0, 0]
    assert found[1].low.tolist() == [0, 3, 2]
    assert (covered(GRID, found) == truth).all()


def test_a_box_is_found_through_noise() -> None:
    truth = in_box((2, 0, 1), (5, 4, 3))
    locked = np.random.default_rng(0).binomial(20, np.where(truth, 0.97, 0.03))
    found = boxes(GRID, 20 * ONES, locked)
    assert (found[0].low.tolist(), found[0].high.tolist()) == ([2, 0, 1], [5, 4, 3])


def test_a_condition_that_is_hardly_worth_anything_goes() -> None:
    """What it cuts off locks up in 89 of 100 rows, where TARGET asks for 90."""
    locked = in_box((3, 0, 0), (5, 4, 3)) * np.where(GRID[:, 1] == 0, 89, 100)
    (box,) = boxes(GRID, 100 * ONES, locked)
    assert (box.low.tolist(), box.high.tolist()) == ([3, 0, 0], [5, 4, 3])


def test_cells_count_as_often_as_they_have_rows() -> None:
    levels = np.array([[0], [1], [2]])
    found = boxes(levels, np.array([100, 50, 1]), np.array([0, 50, 0]))
    assert (found[0].low.tolist(), found[0].rows, found[0].locked) == ([1], 50, 50)


def test_everything_locked_is_no_condition() -> None:
    found = boxes(GRID, ONES, ONES)
    assert [box.rows for box in found] == [len(GRID)]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_what_is_told_of_a_box_is_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 5, len(GRID))
    locked = rng.binomial(rows, np.where(in_box((2, 2, 0), (5, 4, 3)), 0.8, 0.1))
    taken = np.zeros(len(GRID), bool)
    for box in boxes(GRID, rows, locked):
        inside = covered(GRID, [box])
        assert (box.rows, box.locked) == (rows[inside].sum(), locked[inside].sum())
        new = inside & ~taken
        assert locked[new].sum() >= LEAST_PRECISION * rows[new].sum()
        taken |= inside
