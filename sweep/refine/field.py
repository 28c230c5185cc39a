"""The chance of each verdict in each cell, from those of the cells that were run.

A harmonic field with a leak: the chance of a verdict is that of a random walk from the cell to end on a run cell with
that verdict. It steps along the ordered axes and, at the same point, into blocks that differ in one axis; the more
often verdicts change along such a step, the less likely is the step (its weight is 1 / changes a step, counted among
the cells run). Each step may leak, so that what is far from every run cell, or in a block full of changes, stays in
doubt. After Zhu, Ghahramani and Lafferty, Semi-supervised learning using Gaussian fields and harmonic functions (2003).
"""

from __future__ import annotations

import numpy as np

from sweep.refine.lattice import Lattice, steps

LEAK = 1.0
"""Weight of the leak, as that of a step along which the verdict always changes."""

NEAR = 0.5
"""A run cell this close to margin 0, in the margin's unit, counts as the verdict beyond with chance 0.5 / e."""

SWEEPS = 40
"""Relaxations a solution: it starts from the last one, and a field reaches a few levels only."""

PRIOR_LEVELS, PRIOR_CELLS = 12.0, 10.0
"""How many levels along an axis, and cells of a pair of blocks, the mean of all blocks or pairs counts for in each."""


class Field:
    """``chance``: of each verdict in each cell, shape (verdicts, *cells).

    ``disagreement``: share of points in which two blocks differ, 1 where no step leads, shape (blocks, blocks).
    """

    def __init__(self, lattice: Lattice, verdicts: int) -> None:
        names = lattice.names
        differing = names[:, :, None] != names[:, None, :]
        self.pairs = np.where(differing.sum(0) == 1, differing.argmax(0), -1)
        self.chance = np.zeros((verdicts, *lattice.numbers.shape), np.float32)
        self.disagreement = np.ones(self.pairs.shape)

    def solve(self, verdict: np.ndarray, margin: np.ndarray) -> None:
        """Fits the field to the cells run: ``verdict`` is -1 where none is known; both of the cells' shape."""
        known = verdict >= 0
        held = _held(verdict, margin, len(self.chance))
        along, between = self._weights(verdict)
        total = _total(along, between, verdict.shape)
        blocks = len(verdict)
        chance = np.where(known, held, self.chance)
        for _ in range(SWEEPS):
            drawn = (between @ chance.reshape(len(held), blocks, -1)).reshape(chance.shape)
            for (low, high), weight in zip(steps(chance.ndim, 2), along, strict=True):
                drawn[low] += weight * chance[high]
                drawn[high] += weight * chance[low]
            chance = np.where(known, held, drawn / total)
        self.chance = chance

    def _weights(self, verdict: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Of steps along each ordered axis, shapes (blocks, 1, ..), and between blocks, shape (blocks, blocks)."""
        along = []
        for axis in range(1, verdict.ndim):
            changed, passed = _changes(np.moveaxis(verdict, axis, -1))
            mean = (changed.sum() + 1.0) / (passed.sum() + 20.0)
            rate = (changed + PRIOR_LEVELS * mean) / (passed + PRIOR_LEVELS)
            along.append((1.0 / rate).astype(np.float32).reshape([-1] + [1] * (verdict.ndim - 1)))
        differ, both = _differences(verdict.reshape(len(verdict), -1), len(self.chance))
        self.disagreement = np.ones(self.pairs.shape)
        for kind in range(self.pairs.max(initial=-1) + 1):
            of = self.pairs == kind
            mean = (differ[of].sum() + 1.0) / (both[of].sum() + 20.0)
            self.disagreement[of] = (differ[of] + PRIOR_CELLS * mean) / (both[of] + PRIOR_CELLS)
        return along, np.where(self.pairs >= 0, 1.0 / self.disagreement, 0.0).astype(np.float32)


def _held(verdict: np.ndarray, margin: np.ndarray, verdicts: int) -> np.ndarray:
    """The chances that run cells are held at: 1 for their verdict, less near margin 0, which parts verdicts 0 and 1."""
    held = (verdict == np.arange(verdicts).reshape([-1] + [1] * verdict.ndim)).astype(np.float32)
    beyond = np.where((verdict == 0) | (verdict == 1), 0.5 * np.exp(-np.abs(margin) / NEAR), 0.0).astype(np.float32)
    held[0] += np.where(verdict == 0, -beyond, beyond)
    held[1] += np.where(verdict == 1, -beyond, beyond)
    return held


def _total(along: list[np.ndarray], between: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The weights of all steps from each cell, and of the leak."""
    total = np.empty(shape, np.float32)
    total[...] = (LEAK + between.sum(1)).reshape([-1] + [1] * (len(shape) - 1))
    for (low, high), weight in zip(steps(len(shape), 1), along, strict=True):
        total[low] += weight
        total[high] += weight
    return total


def _changes(verdict: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between run cells that follow one another on the last axis: changes, and levels passed; shapes (blocks,)."""
    level = np.arange(verdict.shape[-1])
    last = np.maximum.accumulate(np.where(verdict >= 0, level, -1), -1)[..., :-1]
    here = verdict[..., 1:]
    pair = (here >= 0) & (last >= 0)
    changed = pair & (np.take_along_axis(verdict, np.maximum(last, 0), -1) != here)
    others = tuple(range(1, verdict.ndim))
    return changed.sum(others), np.where(pair, level[1:] - last, 0).sum(others)


def _differences(verdict: np.ndarray, verdicts: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each two blocks the points run in both, and how many of them differ; ``verdict``: (blocks, points)."""
    known = (verdict >= 0).astype(np.float32)
    both = known @ known.T
    same = sum(one @ one.T for one in ((verdict == code).astype(np.float32) for code in range(verdicts)))
    return both - same, both
