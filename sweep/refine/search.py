"""Which cells of a grid to run next. ``ask`` and ``tell`` take turns; the same answers give the same questions."""

from __future__ import annotations

import numpy as np

from sweep.refine.field import Field
from sweep.refine.lattice import Lattice, coarse, face_neighbours, steps
from workers.schema import VERDICTS

CELLS = RUN, IMPLIED, UNKNOWN = "run", "implied", "unknown"

SMALL_CELLS = 5_000
"""A grid of up to that many is to be right in every cell: it is cheap, and what a share of it is says little."""

COARSE_LEVELS = (2, 4)
"""The first round runs every 2nd level of an ordered axis of a small grid, every 4th of a large one."""

DOUBT = (0.3, 0.4)
"""A cell is run while the chances of its other verdicts (and of none) are above this, in a small and a large grid."""

ALIKE = 0.1
"""Blocks that disagree in less than this share of points do not both run a point in one round."""

AUDIT_SHARE, AUDIT_CELLS, MOST_AUDITS = 0.01, 32, 4
"""An audit's share of all cells, its least number, and how many audits there are at most."""

AUDIT_WRONG = 0.003
"""Share of an audit's cells that may contradict what was implied for it to be the last one."""


class Search:
    """A search over the cells of ``lattice``; ``seed`` picks the audits.

    Its state follows from the grid and what it was told, round by round: told again from a store of results, it asks
    for the same rounds again.
    """

    def __init__(self, lattice: Lattice, seed: int) -> None:
        shape = lattice.numbers.shape
        self.lattice, self.seed = lattice, seed
        self.field = Field(lattice, len(VERDICTS))
        self.verdict = np.full(shape, -1, np.int8)
        self.margin = np.zeros(shape, np.float32)
        self.run = np.zeros(shape, bool)
        self.rounds = self.audits = self.audited = self.contradictions = 0
        self._place = np.empty(lattice.numbers.size, np.int32)
        self._place[lattice.numbers.reshape(-1)] = np.arange(self._place.size, dtype=np.int32)
        self._reopened, self._audit = np.zeros(shape, bool), np.zeros(shape, bool)
        self._settled = False
        large = self.run.size > SMALL_CELLS
        self._coarse, self._doubt = COARSE_LEVELS[large], DOUBT[large]
        self._audit_cells = min(self.run.size, max(AUDIT_CELLS, round(AUDIT_SHARE * self.run.size)))

    def ask(self) -> np.ndarray:
        """Row numbers of the next round, ascending; empty when the search is over. Asked twice, it says the same."""
        self._audit[:] = False
        if not self.rounds:
            return self._numbers(coarse(self.run.shape, self._coarse))
        chosen = (self._reopened | self._doubtful()) & ~self.run
        if chosen.sum() < self._audit_cells and not self._settled and self.audits < MOST_AUDITS:
            self._audit = self._sample(self._implied() & ~chosen)
            chosen |= self._audit
        return self._numbers(chosen)

    def tell(self, numbers: np.ndarray, verdicts: np.ndarray, margins: np.ndarray) -> None:
        """What the round that was asked for came to: verdict codes from 0 (-1 where a row failed) and margins.

        A margin is how far a row is from the end of verdict 0, on a scale on which differences mean the same
        everywhere: below 0 with verdict 0, above with the others. Shapes (numbers,), in any order.
        """
        at = self._place[numbers]
        implied = self.field.chance.reshape(len(self.field.chance), -1)[:, at].argmax(0)
        contradicts = np.zeros(self.run.shape, bool)
        contradicts.reshape(-1)[at] = (verdicts >= 0) & (verdicts != implied)
        self.verdict.reshape(-1)[at], self.margin.reshape(-1)[at] = verdicts, margins
        self.run.reshape(-1)[at] = True
        if self._audit.any():
            wrong = int((contradicts & self._audit).sum())
            self.audits, self.audited = self.audits + 1, self.audited + int(self._audit.sum())
            self.contradictions += wrong
            self._settled = wrong <= AUDIT_WRONG * self._audit.sum()
        # what was found beside something unexpected is looked into as well, and so on, however far it reaches
        self._reopened = face_neighbours(contradicts & (self._audit | self._reopened)) & ~self.run
        self.rounds += 1
        self.field.solve(self.verdict, self.margin)

    def answer(self) -> tuple[np.ndarray, np.ndarray]:
        """Verdict codes (-1: failed, or unknown) and places in CELLS, by row number; shapes (rows,)."""
        implied = self._implied()
        code = np.where(self.run, self.verdict, np.where(implied, self.field.chance.argmax(0), -1))
        cell = np.where(self.run, CELLS.index(RUN), np.where(implied, CELLS.index(IMPLIED), CELLS.index(UNKNOWN)))
        return code.astype(np.int8).reshape(-1)[self._place], cell.astype(np.int8).reshape(-1)[self._place]

    def _numbers(self, chosen: np.ndarray) -> np.ndarray:
        return np.sort(self.lattice.numbers[chosen]).astype(np.int64)

    def _implied(self) -> np.ndarray:
        return ~self.run & (1.0 - self.field.chance.max(0) <= self._doubt)

    def _doubtful(self) -> np.ndarray:
        """The cells in doubt; but where these are many, of neighbours only the most doubtful one.

        Neighbours are one step apart on an ordered axis, or the same point in blocks that are alike.
        """
        doubt = 1.0 - self.field.chance.max(0)
        rank = self._random(1) * np.float32(1e-3) + doubt
        rank[self.run | (doubt <= self._doubt)] = 0.0
        best = rank > 0.0
        if best.sum() <= self._audit_cells:
            return best
        for low, high in steps(rank.ndim, 1):
            best[low] &= rank[low] >= rank[high]
            best[high] &= rank[high] >= rank[low]
        alike = self.field.disagreement < ALIKE
        for block in np.flatnonzero(alike.any(1)):
            best[block] &= rank[block] >= rank[alike[block]].max(0)
        return best

    def _sample(self, among: np.ndarray) -> np.ndarray:
        """A mask of _audit_cells random cells of a mask, or of all where there are fewer."""
        order = np.where(among, self._random(2), 2.0).reshape(-1)
        most = min(self._audit_cells, int(among.sum()))
        sample = np.zeros(among.size, bool)
        sample[np.argsort(order, kind="stable")[:most]] = True
        return sample.reshape(among.shape)

    def _random(self, what: int) -> np.ndarray:
        """A number from 0 to 1 a cell, the same whenever this round is asked for."""
        return np.random.default_rng((self.seed, self.rounds, what)).random(self.run.shape, np.float32)
