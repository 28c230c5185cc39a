"""What the chapters share: the results, read once, and which policies they compare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from sweep.config import RATE
from sweep.pairs import policies, varying
from sweep.report.answers.loads import by_load
from sweep.report.answers.paired import Paired, paired_of
from sweep.report.inputs import Results

PLACED = ("cpus", "iova_pages", RATE, "burst_period_us")
"""Columns that every table and map of loads shows, or that follow from those."""


@dataclass(frozen=True)
class View:
    """Of results: ``policies``, all that occur; ``shown``, before and after (or the only one); ``loads``, see
    ``answers.loads``; ``paired``, see ``answers.paired``; ``hidden``, columns that vary and that loads do not show."""

    results: Results
    policies: tuple[str, ...]
    shown: tuple[str, ...]
    loads: pl.DataFrame
    paired: Paired
    hidden: tuple[str, ...]

    @property
    def pair(self) -> bool:
        """Whether two policies are compared."""
        return len(self.shown) == 2

    @property
    def rounded(self) -> str:
        """What to say where so many CPU counts or rates occur that tables and maps put them together."""
        pairs = (("CPU counts", "cpus", "cell_cpus"), ("rates of maps", RATE, "cell_rate"))
        near = [words for words, exact, cell in pairs if (self.loads[exact] != self.loads[cell]).any()]
        return f" {' and '.join(near)} are rounded to a few values." if near else ""

    def side(self, policy: str) -> str:
        """A policy as a heading: ``before: array``; its name alone where nothing is compared with it."""
        if not self.pair or policy not in self.shown:
            return policy
        return f"{'before' if policy == self.shown[0] else 'after'}: {policy}"


@lru_cache(maxsize=1)
def view_of(results: Results) -> View:
    """Reads the results; once, for all who ask of the same."""
    present = tuple(policies(results.table))
    shown = present[:2]
    compared = results.table.filter(pl.col("policy").is_in(shown))
    placed = {*PLACED}
    if compared.select((pl.col("active_cpus") == pl.col("cpus")).all()).collect().item():
        placed.add("active_cpus")
    hidden = tuple(name for name in varying(compared, (RATE,)) if name not in placed)
    return View(results, present, shown, by_load(results.table), paired_of(results.table), hidden)
