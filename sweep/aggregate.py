"""From a results table to what a person asks of it: shares, percentiles, before/after classes.

From lazy frame to small frame, policy by policy and figure by figure, so that ten million rows fit. "Locks up" means
the verdict soft_lockup; chained is counted on its own. Counts are integers, percentiles are values that
occurred (no interpolation), every output is sorted: the same results give the same bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import polars as pl

from sweep.config import RATE
from sweep.pairs import CLASSES, distinct, policies, varying
from sweep.report.answers.words import pages
from workers.schema import VERDICTS, parse_iova_pages

PERCENTILES = {"p50": 0.5, "p95": 0.95, "max": 1.0}
CALLBACK = ("callback_p50_ms", "callback_p99_ms", "callback_max_ms", "softirq_residency_max_ms")
"""Columns: how long the callback runs, and how long the softirq is not left."""

MEMORY = ("memory_peak_bytes", "memory_end_bytes", "depot_magazines_bytes")
SUMMARY_KEYS = ("section", "before", "policy", "axis", "value")
MAX_AXIS_VALUES = 40
MAX_SIZE_ROWS = 12


def with_rate(frame: pl.LazyFrame) -> pl.LazyFrame:
    """``frame`` with ``unmap_rate_per_s``: nominal unmaps/s of an active CPU, to three digits."""
    return frame.with_columns((1e6 * pl.col("unmap_burst") / pl.col("burst_period_us")).round_sig_figs(3).alias(RATE))


def lowest(column: pl.Series) -> float | None:
    """The least value of a numeric column; None where it is empty."""
    return cast("float | None", column.min())


def highest(column: pl.Series) -> float | None:
    """The greatest value of a numeric column; None where it is empty."""
    return cast("float | None", column.max())


def size_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``size_row`` (a label) and ``size_order``: the IOVA sizes as the rows of a map or table.

    A row for each ``iova_pages`` text; for more than MAX_SIZE_ROWS texts, four rows by the largest size of the mix.
    """
    texts = frame["iova_pages"].unique().to_list()
    sizes = {text: parse_iova_pages(text)[0] for text in texts}
    if len(texts) <= MAX_SIZE_ROWS:
        ordered = sorted(texts, key=lambda text: (max(sizes[text]), len(sizes[text]), text))
        rows = {text: (pages(text) if len(sizes[text]) == 1 else f"mix {text}", i) for i, text in enumerate(ordered)}
    else:
        limits = ((1, "1 page"), (8, "2 to 8 pages"), (32, "9 to 32 pages"), (1 << 20, "over 32 pages"))
        found = {text: next(i for i, (top, _) in enumerate(limits) if max(sizes[text]) <= top) for text in texts}
        rows = {text: (limits[i][1], i) for text, i in found.items()}
    labels, orders = ({text: row[i] for text, row in rows.items()} for i in (0, 1))
    return frame.with_columns(
        pl.col("iova_pages").replace_strict(labels, return_dtype=pl.String).alias("size_row"),
        pl.col("iova_pages").replace_strict(orders, return_dtype=pl.Int64).alias("size_order"),
    )


def summarize(results: pl.LazyFrame, paired: pl.LazyFrame) -> pl.DataFrame:
    """The tidy long summary of results, shape (groups x metrics, 9), sorted; rows without a verdict are left out.

    Columns: section (verdict, callback, memory, pair), before (pairs only), policy, axis ("all" or a scenario
    column that varies), value (a numeric axis of over MAX_AXIS_VALUES values: 0 and powers of two), scenarios (rows
    in the group), metric, count (of verdicts and classes), figure (a share for counts, else ms or bytes).
    ``paired``: their pairs, as ``sweep.pairs.in_file`` gives them.
    """
    frame = with_rate(results.filter(pl.col("verdict").is_not_null()))
    sides = with_rate(paired).rename({"after": "policy"})
    compared = sides.select("before", "policy").unique().collect().rows()
    parts = []
    for axis in ("all", *varying(frame, (RATE,))):
        key = _axis_key(frame, axis)
        for policy in policies(results):  # those without a verdict give no rows, but the columns
            parts += _of_policy(frame.filter(policy=policy), key, {"policy": policy, "axis": axis})
        for before, policy in compared:
            pair = sides.filter(before=before, policy=policy)
            parts += _of_pair(pair, key, {"before": before, "policy": policy, "axis": axis})
    order = [*SUMMARY_KEYS[:4], "order", "value", "metric"]
    summary = pl.concat(parts, how="vertical").filter(pl.col("scenarios") > 0)
    return summary.sort(order, maintain_order=True).drop("order")


class _Key(NamedTuple):
    """What groups an axis, as column ``key``; ``binned``: by powers of two, labelled by both ends."""

    expr: pl.Expr
    binned: bool = False


def _axis_key(frame: pl.LazyFrame, axis: str) -> _Key:
    """An axis by its value, or by the power of two below where there are many; one group for "all"."""
    if axis == "all":
        return _Key(pl.lit("all").alias("key"))
    binned = frame.collect_schema()[axis].is_numeric() and len(distinct(frame, axis)) > MAX_AXIS_VALUES
    low = 2.0 ** pl.col(axis).cast(pl.Float64).log(2).floor()  # 0 of 0
    return _Key((low if binned else pl.col(axis)).alias("key"), binned)


def _of_policy(frame: pl.LazyFrame, key: _Key, said: dict[str, str]) -> list[pl.DataFrame]:
    parts = [_counts(frame, key, "verdict", VERDICTS, said | {"section": "verdict", "before": ""})]
    for section, columns in (("callback", CALLBACK), ("memory", MEMORY)):
        parts += [_figures(frame, key, column, said | {"section": section, "before": ""}) for column in columns]
    return parts


def _of_pair(frame: pl.LazyFrame, key: _Key, said: dict[str, str]) -> list[pl.DataFrame]:
    said = said | {"section": "pair"}
    return [_counts(frame, key, "class", CLASSES, said), _figures(frame, key, "memory_added_bytes", said)]


def _counts(frame: pl.LazyFrame, key: _Key, column: str, names: tuple[str, ...], said: Any) -> pl.DataFrame:
    """How many rows of each group have each value of a column, and their share."""
    each = [(pl.col(column) == name).sum().cast(pl.Int64).alias(name) for name in names]
    groups = frame.group_by(key.expr).agg(pl.len(), *each).collect()
    long = groups.unpivot(list(names), index=["key", "len"], variable_name="metric", value_name="count")
    return _tidy(long.with_columns(figure=pl.col("count") / pl.col("len")), key.binned, said)


def _figures(frame: pl.LazyFrame, key: _Key, column: str, said: Any) -> pl.DataFrame:
    """Percentiles of a column in each group."""
    each = [pl.col(column).quantile(q, "nearest").alias(f"{column}_{label}") for label, q in PERCENTILES.items()]
    groups = frame.group_by(key.expr).agg(pl.len(), *each).collect()
    long = groups.unpivot(index=["key", "len"], variable_name="metric", value_name="figure")
    return _tidy(long.with_columns(count=pl.lit(None, dtype=pl.Int64)), key.binned, said)


def _tidy(long: pl.DataFrame, binned: bool, said: dict[str, str]) -> pl.DataFrame:
    key = pl.col("key")
    value, order = key.cast(pl.String), key if long.schema["key"].is_numeric() else pl.lit(0.0)
    if binned:
        span = pl.concat_str(value, pl.lit(" to "), (2 * key).cast(pl.String))
        value = pl.when(key == 0).then(pl.lit("0")).otherwise(span)
    return long.select(
        *(pl.lit(said[name]).alias(name) for name in SUMMARY_KEYS[:4]),
        value.alias("value"),
        order.cast(pl.Float64).alias("order"),
        pl.col("len").cast(pl.Int64).alias("scenarios"),
        "metric",
        pl.col("count").cast(pl.Int64),
        pl.col("figure").cast(pl.Float64),
    )
