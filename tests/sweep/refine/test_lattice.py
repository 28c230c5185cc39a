"""Rows of a grid as cells, the first round, and neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.refine.lattice import coarse, face_neighbours, lattice
from workers.schema import ScenarioError


def test_blocks_first_and_axes_by_value() -> None:
    cells = lattice([np.array([64, 8]), 2, np.array([1.0, 2.0, 3.0]), 1, np.array([5])])
    assert cells.numbers.shape == (2, 2, 3)
    assert cells.numbers[0].tolist() == [[6, 7, 8], [0, 1, 2]]  # 8 CPUs are the second half of the rows
    assert cells.numbers[1].tolist() == [[9, 10, 11], [3, 4, 5]]


def test_names_of_blocks() -> None:
    assert lattice([2, np.arange(3), 3]).names.tolist() == [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]]


def test_nothing_but_order_and_nothing_ordered() -> None:
    assert lattice([np.arange(3), np.arange(4)]).numbers.shape == (1, 3, 4)
    assert lattice([3, 4]).numbers.shape == (12,)


def test_too_many_blocks_is_one_sentence() -> None:
    with pytest.raises(ScenarioError, match="mode: refine was given for 2500 combinations"):
        lattice([50, 50, np.arange(3)])


def test_the_first_round_holds_both_ends() -> None:
    mask = coarse((2, 11, 3, 1), 4)
    assert np.flatnonzero(mask[0, :, 0, 0]).tolist() == [0, 3, 7, 10]
    assert np.flatnonzero(mask[0, 0, :, 0]).tolist() == [0, 2]
    assert mask[0].tolist() == mask[1].tolist()


def test_neighbours_stay_in_their_block() -> None:
    mask = np.zeros((2, 3, 3), bool)
    mask[0, 0, 1] = True
    assert np.argwhere(face_neighbours(mask)).tolist() == [[0, 0, 0], [0, 0, 2], [0, 1, 1]]
