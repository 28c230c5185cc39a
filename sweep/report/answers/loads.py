"""The table reduced to loads: one row for each policy, IOVA size, CPU count and unmap rate.

Nearly everything the report shows comes from this frame: ten million rows or a hundred, it is read once.
"""

from __future__ import annotations

import math

import polars as pl

from sweep.aggregate import size_rows
from sweep.config import RATE
from sweep.refine.search import RUN
from sweep.store.chunk import FAILED
from workers.hazard import LONG_STAY_S
from workers.jiffies import rearm_period_ms
from workers.schema import LOCKED, VERDICTS

MAX_TICKS = 24
"""Values of an axis that a map shows; where more occur they are put to the nearest of a regular scale."""


SAFE = pl.col("verdict") != LOCKED
EXPECT = pl.col("soft_lockup_hazard_per_hour") * pl.col("exposure_s") >= 3600.0
"""At least one soft lockup within the exposure, on average; the verdict asks whether one is more likely than not."""

CUT = (pl.col("unfinished_stay_ms") > 0) & (pl.col("unfinished_stay_ms") == pl.col("softirq_residency_max_ms"))
"""The longest stay goes on as the run ends, so it may be longer than it says."""

FIRST_TIMER_S = pl.col("hz").map_batches(lambda hz: pl.Series(rearm_period_ms(hz.to_numpy()) / 1e3), pl.Float64)
SHORT = (
    SAFE
    & ~pl.col("strict")
    & ((pl.col("horizon_s") < LONG_STAY_S + FIRST_TIMER_S) | (pl.col("callback_count") == 0))
)
"""Safe because of the end of the run: a lockup is inferred from stays of LONG_STAY_S and more, and none fits behind the
first timer, or the timer never got to an end."""


def by_load(table: pl.LazyFrame) -> pl.DataFrame:
    """The loads of ``Results.table``, sorted by policy, size, CPUs and rate; the worst over everything else.

    Columns beside policy, iova_pages, size_row and size_order (``sweep.aggregate.size_rows``), cpus, unmap_rate_per_s,
    cell_cpus and cell_rate (where a map puts it): how many rows there are (scenarios), were not run for sure
    (implied), have no verdict (undecided; of these failed), are outside the range checked (unchecked), locked and
    chained; of those that count as safe, how many EXPECT a lockup (expecting), are CUT (cut) or SHORT (short); the
    lowest rate achieved by an active CPU (achieved_per_s); the most of each figure of MOST; the least and most ticks a
    second (hz_low, hz_high) and virtual seconds of a run (horizon_low_s, horizon_high_s).
    """
    reduced = (
        table.with_columns(short=SHORT & (pl.col("cell") == RUN))  # what is implied never ran
        .group_by("policy", "iova_pages", "cpus", RATE)
        .agg(
            pl.len().cast(pl.Int64).alias("scenarios"),
            (pl.col("cell") == "implied").sum().cast(pl.Int64).alias("implied"),
            pl.col("verdict").is_null().sum().cast(pl.Int64).alias("undecided"),
            (pl.col("status") == FAILED).sum().cast(pl.Int64).alias("failed"),
            (~pl.col("checked")).sum().cast(pl.Int64).alias("unchecked"),
            (pl.col("verdict") == LOCKED).sum().cast(pl.Int64).alias("locked"),
            (pl.col("verdict") == "chained").sum().cast(pl.Int64).alias("chained"),
            (SAFE & EXPECT).sum().cast(pl.Int64).alias("expecting"),
            (SAFE & CUT).sum().cast(pl.Int64).alias("cut"),
            pl.col("short").sum().cast(pl.Int64),
            (pl.col("ops_completed") / 2 / pl.col("horizon_s") / pl.col("active_cpus")).min().alias("achieved_per_s"),
            *(pl.col(name).max() for name in MOST),
            pl.col("hz").min().alias("hz_low"),
            pl.col("hz").max().alias("hz_high"),
            pl.col("horizon_s").min().alias("horizon_low_s"),
            pl.col("horizon_s").max().alias("horizon_high_s"),
        )
        .collect()
    )
    placed = size_rows(reduced).with_columns(
        nearest("cpus", reduced["cpus"].unique().to_list(), 2, 1).alias("cell_cpus"),
        nearest(RATE, reduced[RATE].unique().to_list(), 10, 4).alias("cell_rate"),
    )
    return placed.sort("policy", "size_order", "iova_pages", "cpus", RATE)


MOST = (
    "memory_peak_bytes",
    "memory_end_bytes",
    "iova_space_cached_peak_bytes",
    "depot_reclaim_s",
    "softirq_residency_max_ms",
    "callback_p50_ms",
    "callback_p99_ms",
    "callback_max_ms",
    "soft_lockup_hazard_per_hour",
)
"""Figures of which the worst case counts."""


def nearest(column: str, values: list[float], base: float, steps: int) -> pl.Expr:
    """``column`` itself when few values occur, else the nearest of ``steps`` per factor of ``base``."""
    if len(values) <= MAX_TICKS:
        return pl.col(column).cast(pl.Float64)
    scale = steps / math.log(base)
    return ((pl.col(column).cast(pl.Float64).log() * scale).round() / scale).exp().round_sig_figs(3)


def verdict() -> pl.Expr:
    """Of groups of loads, the worst verdict: soft_lockup, else null where a row has none, else chained or ok."""
    ok, chained, locked = (pl.lit(name) for name in VERDICTS)
    return (
        pl.when(pl.col("locked").sum() > 0).then(locked)
        .when(pl.col("undecided").sum() > 0).then(pl.lit(None, pl.String))
        .when(pl.col("chained").sum() > 0).then(chained)
        .otherwise(ok)
        .alias("verdict")
    )  # fmt: skip


COUNTS = ("scenarios", "implied", "undecided", "failed", "unchecked", "locked", "chained", "expecting", "cut", "short")
"""Columns of which groups of loads have the sum."""


def totals(loads: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Loads summed up by policy and ``by``, sorted: the worst ``verdict``, COUNTS, the most of each figure of MOST."""
    return loads.group_by("policy", *by).agg(verdict(), pl.col(COUNTS).sum(), pl.col(MOST).max()).sort("policy", *by)
