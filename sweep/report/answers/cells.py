"""The cells of the maps: one for each policy, IOVA size, CPU count and rate as far as a map tells them apart."""

from __future__ import annotations

import polars as pl

from sweep.config import RATE
from sweep.report.answers.loads import totals

WORST_CLASS = ("broken_by_patch", "locked_in_both", "fixed", "safe_in_both")
"""Classes of pairs, the worst first: what a cell of several pairs is."""

CELL = ("size_order", "size_row", "cell_cpus", "cell_rate")


def verdict_cells(loads: pl.DataFrame) -> pl.DataFrame:
    """A row a cell, sorted: policy and CELL, ``verdict`` (the worst; null where a scenario has none and none locked
    up), how many scenarios are what, and the most of each figure of MOST. ``loads``: of ``by_load``."""
    return totals(loads, *CELL)


def class_cells(loads: pl.DataFrame, pairs: pl.DataFrame, before: str, after: str) -> pl.DataFrame:
    """A row a cell with a pair, sorted: CELL, ``class`` (the worst of its pairs; null where a scenario of the cell is
    in no pair and no pair is worse than fixed), ``pairs``, how many are of each class, ``added_bytes`` (the most) and
    ``unchecked``. ``pairs``: ``loads`` of ``answers.paired.Paired``."""
    both = loads.filter(pl.col("policy").is_in([before, after]))
    placed = both.select("iova_pages", "cpus", RATE, *CELL).unique()
    counts = pairs.filter(before=before, after=after).join(placed, on=["iova_pages", "cpus", RATE])
    grouped = counts.group_by(CELL).agg(
        *(pl.col(name).sum() for name in (*WORST_CLASS, "pairs")), pl.col("added_bytes").max()
    )
    sides = both.group_by("policy", *CELL).agg(pl.col("scenarios").sum(), pl.col("unchecked").sum())
    most = sides.group_by(CELL).agg(pl.col("scenarios").max(), pl.col("unchecked").max())
    broken, locked, fixed, safe = (pl.lit(name) for name in WORST_CLASS)
    name = (
        pl.when(pl.col("broken_by_patch") > 0).then(broken)
        .when(pl.col("locked_in_both") > 0).then(locked)
        .when(pl.col("pairs") < pl.col("scenarios")).then(pl.lit(None, pl.String))
        .when(pl.col("fixed") > 0).then(fixed)
        .otherwise(safe)
        .alias("class")
    )  # fmt: skip
    return grouped.join(most, on=CELL).with_columns(name).sort(CELL)
