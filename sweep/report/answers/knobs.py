"""Which knob moves the boundary: what happens along one axis of the sweep, all else equal.

A line is a set of rows that differ in one knob alone. It crosses the boundary where some of its rows lock up and some
do not; its swing is how far the longest stay in the softirq moves along it, on the scale of the margin, the logarithm
of stay over re-arm period. Nothing is fitted or interpolated.
"""

from __future__ import annotations

import polars as pl

from sweep.config import COST_NAMES, RATE
from sweep.pairs import distinct, varying
from workers.jiffies import rearm_period_ms
from workers.schema import LOCKED, parse_iova_pages

COSTS = "costs"
"""The costs of a machine together, where several of them vary: a host table sets all at once."""

NO_KNOBS = ("burst_period_us", "rcu_stall_s")
"""The rate stands for the period; the other changes what a stay is called, neither the stay nor the verdict."""

LEAST_STAY = 0.01
"""Stays below this share of the re-arm period count as that: a swing between two calm runs says little."""

MOST_ROWS = 1 << 20
"""Of a larger table every so many lines are taken."""


def knobs_of(table: pl.LazyFrame) -> list[str]:
    """The columns that vary and are knobs; several costs as COSTS, ``active_cpus`` only where it is not ``cpus``."""
    found = [name for name in varying(table, (RATE,)) if name not in NO_KNOBS]
    if table.select((pl.col("active_cpus") == pl.col("cpus")).all()).collect().item() and "active_cpus" in found:
        found.remove("active_cpus")
    costs = [name for name in found if name in COST_NAMES]
    if len(costs) > 1:
        found = [*(name for name in found if name not in costs), COSTS]
    return found


def sensitivity(table: pl.LazyFrame, policies: tuple[str, ...]) -> pl.DataFrame:
    """A row a policy and knob that has lines, most crossings first: lines, crossing, rises (only the upper end locks
    up), falls (only the lower end does), swing (median factor by which the longest stay moves; null where the lines
    hold too few runs). The knob ``policy`` is a row of its own, with policy "". ``table``: of ``Results``.
    """
    decided = _with_margin(table.filter(pl.col("verdict").is_not_null(), pl.col("policy").is_in(policies)))
    knobs = knobs_of(table)
    rows = decided.select(pl.len()).collect().item()
    every = [*knobs, *(["policy"] if len(policies) > 1 else [])]
    found = [_along(decided, knob, knobs, 1 + rows // MOST_ROWS) for knob in every]
    empty = pl.DataFrame(schema=_SCHEMA)
    share = pl.col("crossing") / pl.col("lines")
    order = [share.alias("share"), pl.col("swing").fill_null(0).alias("order")]
    ranked = pl.concat([empty, *found]).filter(pl.col("lines") > 0).with_columns(order)
    return ranked.sort("policy", "share", "order", "knob", descending=[False, True, True, False]).drop("share", "order")


_SCHEMA = {
    "policy": pl.String(),
    "knob": pl.String(),
    "lines": pl.Int64(),
    "crossing": pl.Int64(),
    "rises": pl.Int64(),
    "falls": pl.Int64(),
    "swing": pl.Float64(),
}


def _with_margin(table: pl.LazyFrame) -> pl.LazyFrame:
    """With ``size_order``, ``locked`` and ``margin``: log10 of stay over re-arm period, null where nothing was run."""
    ordered = sorted(distinct(table, "iova_pages"), key=lambda text: (max(parse_iova_pages(text)[0]), text))
    places = {text: place for place, text in enumerate(ordered)}
    rearm_ms = {hz: float(rearm_period_ms(hz)) for hz in distinct(table, "hz")}
    rearm = pl.col("hz").replace_strict(rearm_ms, return_dtype=pl.Float64)
    stay = (pl.col("softirq_residency_max_ms") / rearm).clip(lower_bound=LEAST_STAY)
    return table.with_columns(
        pl.col("iova_pages").replace_strict(places, default=0, return_dtype=pl.Int64).alias("size_order"),
        (pl.col("verdict") == LOCKED).alias("locked"),
        stay.log10().alias("margin"),
    )


def _along(table: pl.LazyFrame, knob: str, knobs: list[str], parts: int) -> pl.DataFrame:
    """The row of a knob for each policy."""
    fixed = [name for name in knobs if name != knob] + ["policy"] * (knob != "policy")
    level = {"iova_pages": "size_order"}.get(knob, knob)
    line = table.with_columns(pl.struct(COST_NAMES).hash().alias(COSTS)).with_columns(pl.col(level).alias("level"))
    if parts > 1:
        line = line.filter(pl.struct(fixed).hash() % parts == 0)
    locked = pl.col("locked").sort_by("level", "locked")
    lines = line.group_by(fixed or [pl.lit(0).alias("all")]).agg(
        pl.col("level").n_unique().alias("levels"),
        pl.col("locked").any().alias("some"),
        pl.col("locked").all().alias("all_locked"),
        locked.first().alias("low"),
        locked.last().alias("high"),
        pl.when(pl.col("margin").count() > 1).then(pl.col("margin").max() - pl.col("margin").min()).alias("swing"),
    )
    ordered = knob not in (COSTS, "policy")
    crossing = pl.col("some") & ~pl.col("all_locked")
    side = pl.lit("").alias("policy") if knob == "policy" else pl.col("policy")
    return (
        lines.filter(pl.col("levels") > 1)
        .group_by(side)
        .agg(
            pl.lit(knob).alias("knob"),
            pl.len().cast(pl.Int64).alias("lines"),
            crossing.sum().cast(pl.Int64).alias("crossing"),
            (~pl.col("low") & pl.col("high") & ordered).sum().cast(pl.Int64).alias("rises"),
            (pl.col("low") & ~pl.col("high") & ordered).sum().cast(pl.Int64).alias("falls"),
            (10.0 ** pl.col("swing").median()).alias("swing"),
        )
        .collect()
        .select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
    )
