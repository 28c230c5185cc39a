"""A grid as cells: blocks (combinations of what has no order) of a lattice (the axes that have one)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.schema import ScenarioError

MOST_BLOCKS = 2000
"""Each block is compared with each other one."""


@dataclass(frozen=True)
class Lattice:
    """``numbers``: the grid's row of each cell, shape (blocks, *ordered axes), each axis by value.

    ``names``: the levels that make a block, shape (unordered axes, blocks).
    """

    numbers: np.ndarray
    names: np.ndarray


def lattice(levels: Sequence[np.ndarray | int]) -> Lattice:
    """The lattice of a grid whose rows are all combinations of levels, the last dimension fastest.

    ``levels``: of each dimension its numbers where these have an order, in whatever order they were given; else how
    many levels it has. Raises ScenarioError for too many blocks.
    """
    sizes = [level if isinstance(level, int) else len(level) for level in levels]
    rows = np.arange(int(np.prod(sizes)), dtype=np.int32).reshape(sizes)
    ordered = [d for d, level in enumerate(levels) if not isinstance(level, int) and sizes[d] > 1]
    unordered = [d for d in range(len(sizes)) if d not in ordered]
    blocks = int(np.prod([sizes[d] for d in unordered]))
    if blocks > MOST_BLOCKS:
        raise ScenarioError(
            f"mode: refine was given for {blocks} combinations of policies, sizes and other axes without an order;"
            f" allowed are at most {MOST_BLOCKS}"
        )
    for d in ordered:
        rows = np.take(rows, np.argsort(levels[d], kind="stable"), axis=d)
    numbers = rows.transpose([*unordered, *ordered]).reshape([blocks, *(sizes[d] for d in ordered)])
    names = np.array(np.unravel_index(np.arange(blocks), [sizes[d] for d in unordered] or [1]))
    return Lattice(numbers, names)


def coarse(shape: Sequence[int], every: int) -> np.ndarray:
    """A mask of ``shape``: all blocks, of each ordered axis about every ``every``-th level and both ends."""
    mask = np.ones(shape, bool)
    for axis, size in enumerate(shape):
        if axis > 0:
            steps = max(1, -(-(size - 1) // every))
            taken = np.isin(np.arange(size), np.rint(np.linspace(0, size - 1, steps + 1)))
            mask &= taken.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    return mask


def face_neighbours(mask: np.ndarray) -> np.ndarray:
    """Cells one step along an ordered axis from a cell of ``mask``."""
    out = np.zeros_like(mask)
    for low, high in steps(mask.ndim, 1):
        out[low] |= mask[high]
        out[high] |= mask[low]
    return out


def steps(dimensions: int, first: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each axis from ``first`` on the two views of an array whose cells are one step apart."""
    every = (slice(None),) * dimensions
    return [
        ((*every[:axis], slice(None, -1), *every[axis + 1 :]), (*every[:axis], slice(1, None), *every[axis + 1 :]))
        for axis in range(first, dimensions)
    ]
