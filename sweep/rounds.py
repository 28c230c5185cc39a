"""What a sweep runs, batch by batch: all of a plan at once, or round by round what a search over its grid asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sweep.execution.work import missing
from sweep.plan import Plan, windows
from sweep.plan.grid import GridPlan
from sweep.progress import Progress
from sweep.refine.lattice import lattice
from sweep.refine.search import CELLS, RUN, Search
from sweep.results import Answer, Chunks
from sweep.store import Store
from sweep.store.keys import scenario_keys
from workers.jiffies import rearm_period_ms
from workers.schema import VERDICTS, ScenarioError

MODES = ("full", "refine")
LEAST_MS = 1e-3
"""Residencies below tell nothing more of how far a lockup is."""

Batches = Iterator[np.ndarray]


@dataclass
class Everything:
    """``mode=full``: every row of the plan is run."""

    plan: Plan

    def rounds(self, store: Store, progress: Progress) -> Iterator[Batches]:
        """One round of all rows; begun anew, of what the store has lost meanwhile."""
        if not progress.total:
            progress.expect(len(self.plan))
            yield windows(len(self.plan))
        else:
            yield _lost(self.plan, windows(len(self.plan)), store, progress)

    def answer(self) -> Answer | None:
        """Nothing is implied."""
        return None

    def told(self) -> str:
        """Nothing more to say below the table."""
        return ""

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        return {"mode": "full"}


class Refined:
    """``mode=refine``: a search says which cells of the grid are run, and what they imply for the others."""

    def __init__(self, plan: GridPlan, seed: int) -> None:
        self.plan = plan
        self.search = Search(lattice(plan.levels), seed)
        self._begun = 0  # rounds that the progress knows of

    def rounds(self, store: Store, progress: Progress) -> Iterator[Batches]:
        """Each round that the search asks for, and at the end what the store has lost of them meanwhile.

        A round has been run when the next one is asked for; begun anew, it goes on with the round that it was at.
        Raises LostChunk where a round's results are gone again.
        """
        while len(numbers := self.search.ask()):
            if self._begun > self.search.rounds:
                yield _lost(self.plan, iter([numbers]), store, progress)
            else:
                self._begun += 1
                progress.expect(len(numbers))
                yield iter([numbers])
            self.search.tell(numbers, *self._findings(numbers, Chunks(store)))
        ran = np.flatnonzero(self.answer().cell == CELLS.index(RUN))
        yield _lost(self.plan, iter([ran]), store, progress)

    def answer(self) -> Answer:
        """What each row of the plan is."""
        return Answer(*self.search.answer())

    def told(self) -> str:
        """For the end of the run: what the map rests on."""
        of, counts = self.search, self.answer().counts()
        share = counts[RUN] / sum(counts.values())
        cells = ", ".join(f"{count} {name}" for name, count in counts.items())
        audit = f"an audit of {of.audited} implied cells contradicted {of.contradictions}"
        return f"\n\ncells: {cells} ({share:.0%} run); {audit}"

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        of, found = self.search, self.answer()
        counted = {"rounds": of.rounds, "audited": of.audited, "contradictions": of.contradictions}
        return {"mode": "refine", "cells": found.counts(), "refinement": counted}

    def _findings(self, numbers: np.ndarray, chunks: Chunks) -> tuple[np.ndarray, np.ndarray]:
        """Verdict codes and margins of rows that were run."""
        content = self.plan.rows(numbers)
        found = chunks.find(scenario_keys(content))
        return verdict_codes(found), margins(found, content["hz"])


def _lost(plan: Plan, batches: Batches, store: Store, progress: Progress) -> Batches:
    """Of each batch what the store held and has lost: as many more to be done, and none of the others anew."""
    for numbers in missing(plan, batches, store):
        progress.expect(len(numbers))
        yield numbers


def verdict_codes(results: pl.DataFrame) -> np.ndarray:
    """The place in VERDICTS of each row's verdict, -1 where it has none; shape (rows,)."""
    codes = results["verdict"].replace_strict(VERDICTS, range(len(VERDICTS)), return_dtype=pl.Int8)
    return codes.fill_null(-1).to_numpy()


def margins(results: pl.DataFrame, hz: np.ndarray) -> np.ndarray:
    """How far each row's timer is from chaining: log of its longest stay over the re-arm period; shape (rows,)."""
    residency_ms = np.maximum(results["softirq_residency_max_ms"].fill_null(0.0).to_numpy(), LEAST_MS)
    return np.log(residency_ms / rearm_period_ms(hz))


def strategy(mode: str, plan: Plan) -> Everything | Refined:
    """How a plan is run; raises ScenarioError for an unknown mode, and for one that does not fit the plan."""
    if mode not in MODES:
        raise ScenarioError(f"mode: {mode!r} was given; allowed are {', '.join(MODES)}")
    if mode == "full":
        return Everything(plan)
    if not isinstance(plan, GridPlan):
        raise ScenarioError("mode: refine was given beside points; only a grid has cells between its points")
    return Refined(plan, int(plan.distinct("seed")[0]))
