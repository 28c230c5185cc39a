"""Pairs, counted by load: the same scenario before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from sweep.aggregate import with_rate
from sweep.config import RATE
from sweep.pairs import CLASSES, aside


@dataclass(frozen=True)
class Paired:
    """Of every comparison (``before``, ``after``, see ``sweep.pairs.comparisons``):

    ``loads``: a row a load (iova_pages, cpus, unmap_rate_per_s): pairs, how many are of each class, added_bytes (the
    most that the peak memory of one grew; null where none was run on both sides).
    ``added``: one row: pairs, how many are of each class, median_bytes and most_bytes of what peak memory grew by.
    """

    loads: pl.DataFrame
    added: pl.DataFrame


class MostAdded(NamedTuple):
    """What the second policy adds to the peak memory of a scenario: at the median, at most, and on which load that."""

    median_bytes: int
    most_bytes: int
    cpus: int
    iova_pages: str


def most_added(paired: Paired, before: str, after: str) -> MostAdded | None:
    """Of loads that grow alike that of the fewest CPUs; None where no scenario was run on both sides."""
    found = paired.added.filter(before=before, after=after).drop_nulls("most_bytes")
    if found.is_empty():
        return None
    median, most = found.select("median_bytes", "most_bytes").row(0)
    at = paired.loads.filter(before=before, after=after, added_bytes=most).sort("cpus", "iova_pages")
    return MostAdded(median, most, *at.select("cpus", "iova_pages").row(0))


def paired_of(table: pl.LazyFrame) -> Paired:
    """Pairs the rows of a table, by way of files, so that memory does not grow with them; raises ScenarioError."""
    classes = [(pl.col("class") == name).sum().cast(pl.Int64).alias(name) for name in CLASSES]
    pairs = pl.len().cast(pl.Int64).alias("pairs")
    grown = pl.col("memory_added_bytes")
    with aside(table) as kept:
        every = with_rate(kept)
        load = ["before", "after", "iova_pages", "cpus", RATE]
        loads = every.group_by(load).agg(pairs, *classes, grown.max().alias("added_bytes"))
        added = every.group_by("before", "after").agg(
            pairs, *classes, grown.quantile(0.5, "nearest").alias("median_bytes"), grown.max().alias("most_bytes")
        )
        return Paired(loads.sort(load).collect(), added.sort("before", "after").collect())
