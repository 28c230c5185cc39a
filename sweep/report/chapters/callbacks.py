"""How long the callback runs, against the limits; and how often a lockup is to be expected."""

from __future__ import annotations

import polars as pl

from sweep.aggregate import CALLBACK
from sweep.document import Block, Column, Section, Table
from sweep.report.answers.callbacks import limits
from sweep.report.answers.words import seconds
from sweep.report.figures.callbacks import percentiles
from sweep.report.view import View
from workers.hazard import LONG_STAY_S


def section(view: View) -> Section | None:
    """None where nothing was run."""
    figure = percentiles(view)
    if figure is None:
        return None
    hazard = _hazard(view)
    blocks: list[Block] = [figure, _limits(view), *([hazard] if hazard else [])]
    return Section("Callbacks against the limits", tuple(blocks))


def _sizes(view: View) -> pl.DataFrame:
    return view.loads.select("iova_pages", "size_order", "size_row").unique()


def _limits(view: View) -> Table:
    counts = ("run", "outlast", "cut", "rcu_stall", "hard_lockup")
    known = pl.when(pl.col(counts).is_not_null().all()).then(pl.col(counts).sum())
    found = (
        limits(view.results.table)
        .filter(pl.col("policy").is_in(view.shown))
        .join(_sizes(view), on="iova_pages")
        .group_by("policy", "size_order", "size_row")
        .agg(pl.col(CALLBACK).max(), known)
        .sort(pl.col("policy").replace_strict({p: i for i, p in enumerate(view.shown)}), "size_order")
    )
    rows = tuple(
        (
            view.side(r["policy"]),
            r["size_row"],
            *(seconds(r[name] / 1e3) for name in CALLBACK),
            *(_count(r[name]) for name in counts),
        )
        for r in found.iter_rows(named=True)
    )
    columns = (
        Column("policy"), Column("IOVA size"), Column("callback, median", True), Column("99th percentile", True),
        Column("longest", True), Column("longest stay", True), Column("scenarios", True),
        Column("outlast the re-arm period", True), Column("cut by the end of the run", True),
        Column("RCU stalls", True), Column("hard lockups", True),
    )  # fmt: skip
    note = (
        "Each time is that of the worst scenario. Cut: the longest stay was going on as the run ended."
        " An RCU stall is a stay of rcu_stall_s, a hard lockup 10 s with interrupts off."
    )
    return Table("Callbacks and stays by IOVA size", columns, rows, note)


def _hazard(view: View) -> Table | None:
    """Expected soft lockups an hour of the worst load; None where the results do not say."""
    names = [f"soft_lockup_hazard{part}_per_hour" for part in ("", "_low", "_high")]
    worst = pl.col(names).sort_by(names[0], names[2]).last()
    ran = view.results.table.filter(pl.col("policy").is_in(view.shown), pl.col(names[0]).is_not_null())
    some, every = (pl.col(names[0]) > 0).sum().alias("some"), pl.len().alias("run")
    sizes = ran.group_by("policy", "iova_pages").agg(worst, some, every).collect().join(_sizes(view), on="iova_pages")
    found = sizes.group_by("policy", "size_order", "size_row").agg(worst, pl.col("some", "run").sum())
    if found.is_empty():
        return None
    order = pl.col("policy").replace_strict({policy: place for place, policy in enumerate(view.shown)})
    rows = tuple(
        (r["size_row"], view.side(r["policy"]), f"{r['some']:,} of {r['run']:,}", *(_rate(r[name]) for name in names))
        for r in found.sort("size_order", order).iter_rows(named=True)
    )
    columns = (
        Column("IOVA size"), Column("policy"), Column("scenarios with some", True),
        Column("an hour, worst scenario", True), Column("low", True), Column("high", True),
    )  # fmt: skip
    note = (
        "Expected soft lockups an hour of the load, with the model's interval; 0 where no stay reached"
        f" {LONG_STAY_S:g} s. Where few long stays were seen the expectation hangs on rare ones and may lie above"
        " all that is likely: then it is the interval's upper end."
    )
    return Table("How often it locks up", columns, rows, note)


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _rate(value: float | None) -> str:
    return "–" if value is None else "< 1e-6" if 0 < value < 1e-6 else f"{value:.3g}"
