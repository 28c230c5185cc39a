"""Chances between run cells, by hand on lines and pairs of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.refine.field import Field
from sweep.refine.lattice import lattice


def solved(levels: list[np.ndarray | int], known: dict[tuple[int, ...], int], margin: float = 9.0) -> Field:
    cells = lattice(levels)
    verdict = np.full(cells.numbers.shape, -1)
    for cell, code in known.items():
        verdict[cell] = code
    field = Field(cells, 3)
    for _ in range(5):
        field.solve(verdict, np.full(verdict.shape, margin))
    return field


def test_between_two_verdicts_the_nearer_is_likelier() -> None:
    chance = solved([np.arange(6)], {(0, 0): 0, (0, 5): 2}).chance
    assert chance[0, 0, 0] == 1
    assert chance[2, 0, 5] == 1
    assert (chance[0, 0, 1:5] > chance[0, 0, 2:]).all()
    assert chance[0, 0, 2] > chance[2, 0, 2]
    assert chance[0, 0, 3] < chance[2, 0, 3]
    assert chance[1].max() < 1e-6


def test_chances_leak_with_the_distance() -> None:
    total = solved([np.arange(30)], {(0, 0): 1}).chance.sum(0)[0]
    assert (np.diff(total) <= 0).all()
    assert total[1] > 0.5 > total[29]


def test_blocks_that_agreed_lend_their_verdicts() -> None:
    known = {(block, level): level % 3 for block in (0, 1) for level in range(19)}
    field = solved([2, np.arange(20)], known | {(0, 19): 2})
    assert field.disagreement[0, 1] < 0.1
    assert field.chance[2, 1, 19] > 0.7


def test_blocks_that_differed_lend_little() -> None:
    known = {(block, level): 2 * block for block in (0, 1) for level in range(19)}
    field = solved([2, np.arange(20)], known | {(0, 19): 0})
    assert field.disagreement[0, 1] > 0.8
    assert field.chance[2, 1, 19] > 0.7


def test_no_step_between_blocks_that_differ_in_two_axes() -> None:
    assert solved([2, 2, np.arange(3)], {(0, 0): 1}).disagreement[0].tolist() == pytest.approx(
        [1, 1 / 20, 1 / 20, 1], rel=1e-6
    )


def test_a_margin_near_0_says_less() -> None:
    sure, unsure = (solved([np.arange(3)], {(0, 0): 0, (0, 2): 0}, margin).chance[0, 0, 1] for margin in (-3.0, -0.01))
    assert unsure < 0.6 < sure
