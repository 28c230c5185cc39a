"""From a results table to what a person asks of it: shares, percentiles, before/after classes.

Pure functions from frame to frame; ``write_summary`` alone touches files. "Locks up" means the
verdict soft_lockup; chained is counted on its own. Counts are integers, percentiles are values that
occurred (no interpolation), every output is sorted: the same results give the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import polars as pl

from sweep.config import RATE
from workers.schema import SCENARIO_COLUMNS, VERDICTS, parse_iova_pages

CLASSES = ("safe_in_both", "fixed", "broken_by_patch", "locked_in_both")
CONTENT = tuple(c.name for c in SCENARIO_COLUMNS if c.name not in ("id", "policy"))
"""What two scenarios share that differ in the policy alone."""

PERCENTILES = {"p50": 0.5, "p95": 0.95, "max": 1.0}
CALLBACK = ("callback_p50_ms", "callback_p99_ms", "callback_max_ms", "softirq_residency_max_ms")
MEMORY = ("memory_peak_bytes", "memory_end_bytes", "depot_magazines_bytes")
SUMMARY_KEYS = ("section", "before", "policy", "axis", "value")
MAX_AXIS_VALUES = 40
MAX_SIZE_ROWS = 12


def with_rate(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``unmap_rate_per_s``: nominal unmaps/s of an active CPU, to three digits."""
    return frame.with_columns((1e6 * pl.col("unmap_burst") / pl.col("burst_period_us")).round_sig_figs(3).alias(RATE))


def lowest(column: pl.Series) -> float | None:
    """The least value of a numeric column; None where it is empty."""
    return cast("float | None", column.min())


def highest(column: pl.Series) -> float | None:
    """The greatest value of a numeric column; None where it is empty."""
    return cast("float | None", column.max())


def policies(frame: pl.DataFrame) -> list[str]:
    """The policies present: array and list first, the others by name."""
    first = {"array": 0, "list": 1}
    return sorted(frame["policy"].unique(), key=lambda name: (first.get(name, 2), name))


def comparisons(present: list[str]) -> list[tuple[str, str]]:
    """(before, after) pairs: each policy against the first, and 6.12's list against 6.1's array."""
    against_first = [(present[0], name) for name in present[1:]]
    same_kernel = ("array_127", "list_127")
    extra = set(same_kernel) <= set(present) and same_kernel not in against_first
    return against_first + [same_kernel] * extra


def pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each scenario run under both policies of a comparison.

    Columns: ``before``, ``after`` (policies), the scenario's content, ``verdict_*`` and
    ``memory_peak_bytes_*`` of both, ``memory_added_bytes`` and ``class`` (one of CLASSES).
    """
    content = [name for name in CONTENT if name in frame.columns]
    wanted = frame.select("policy", *content, "verdict", "memory_peak_bytes")
    wanted = wanted.unique(subset=["policy", *content], keep="first", maintain_order=True)
    parts = [_pair(wanted, content, before, after) for before, after in comparisons(policies(frame))]
    return pl.concat(parts) if parts else _pair(wanted, content, "", "")


def _pair(frame: pl.DataFrame, content: list[str], before: str, after: str) -> pl.DataFrame:
    sides = [
        frame.filter(policy=name).select(*content, pl.col("verdict", "memory_peak_bytes").name.suffix(f"_{side}"))
        for name, side in ((before, "before"), (after, "after"))
    ]
    joined = sides[0].join(sides[1], on=content, how="inner", maintain_order="left")
    locked = [pl.col(f"verdict_{side}") == "soft_lockup" for side in ("before", "after")]
    name = (
        pl.when(locked[0] & locked[1]).then(pl.lit("locked_in_both"))
        .when(locked[0]).then(pl.lit("fixed"))
        .when(locked[1]).then(pl.lit("broken_by_patch"))
        .otherwise(pl.lit("safe_in_both"))
    )  # fmt: skip
    added = pl.col("memory_peak_bytes_after") - pl.col("memory_peak_bytes_before")
    return joined.select(
        pl.lit(before).alias("before"),
        pl.lit(after).alias("after"),
        pl.all(),
        added.alias("memory_added_bytes"),
        name.alias("class"),
    )


def varying(frame: pl.DataFrame) -> list[str]:
    """Scenario columns with more than one value, but id and policy; the unmap rate where it varies."""
    named = [*CONTENT, RATE]
    return [name for name in named if name in frame.columns and frame[name].n_unique() > 1]


def worst() -> pl.Expr:
    """The worst verdict of a group: ok < chained < soft_lockup."""
    rank = pl.col("verdict").replace_strict(VERDICTS, range(len(VERDICTS)), return_dtype=pl.Int64).max()
    return rank.replace_strict(range(len(VERDICTS)), VERDICTS, return_dtype=pl.String).alias("verdict")


def size_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``size_row`` (a label) and ``size_order``: the IOVA sizes as the rows of a map or table.

    A row for each ``iova_pages`` text; for more than MAX_SIZE_ROWS texts, four rows by the largest size of the mix.
    """
    texts = frame["iova_pages"].unique().to_list()
    sizes = {text: parse_iova_pages(text)[0] for text in texts}
    if len(texts) <= MAX_SIZE_ROWS:
        ordered = sorted(texts, key=lambda text: (max(sizes[text]), len(sizes[text]), text))
        rows = {text: (_size_label(text, len(sizes[text])), i) for i, text in enumerate(ordered)}
    else:
        limits = ((1, "1 page"), (8, "2 to 8 pages"), (32, "9 to 32 pages"), (1 << 20, "over 32 pages"))
        found = {text: next(i for i, (top, _) in enumerate(limits) if max(sizes[text]) <= top) for text in texts}
        rows = {text: (limits[i][1], i) for text, i in found.items()}
    labels, orders = ({text: row[i] for text, row in rows.items()} for i in (0, 1))
    return frame.with_columns(
        pl.col("iova_pages").replace_strict(labels, return_dtype=pl.String).alias("size_row"),
        pl.col("iova_pages").replace_strict(orders, return_dtype=pl.Int64).alias("size_order"),
    )


def _size_label(text: str, sizes: int) -> str:
    return f"mix {text}" if sizes > 1 else "1 page" if text == "1" else f"{text} pages"


def axis_values(frame: pl.DataFrame, axis: str, binned: bool) -> pl.DataFrame:
    """``frame`` with ``value`` (text) and ``order`` (number) of its column ``axis``.

    ``binned``: to powers of two, labelled by both ends.
    """
    column = pl.col(axis)
    if binned:
        low = 2.0 ** column.cast(pl.Float64).clip(lower_bound=1e-9).log(2).floor()
        label = pl.concat_str(low.cast(pl.String), pl.lit(" to "), (2 * low).cast(pl.String))
        return frame.with_columns(label.alias("value"), low.alias("order"))
    order = column.cast(pl.Float64) if frame[axis].dtype.is_numeric() else pl.lit(0.0)
    return frame.with_columns(column.cast(pl.String).alias("value"), order.alias("order"))


def summarize(frame: pl.DataFrame) -> pl.DataFrame:
    """The tidy long summary of a results frame, shape (groups x metrics, 9), sorted.

    Columns: section (verdict, callback, memory, pair), before (pairs only), policy, axis ("all" or a scenario
    column that varies), value (a numeric axis of over MAX_AXIS_VALUES values: powers of two), scenarios (rows
    in the group), metric, count (of verdicts and classes), figure (a share for counts, else ms or bytes).
    """
    frame = with_rate(frame)
    paired = with_rate(pairs(frame))
    parts = []
    frame, paired = frame.with_columns(all=pl.lit("all")), paired.with_columns(all=pl.lit("all"))
    for axis in ("all", *varying(frame)):
        binned = frame[axis].dtype.is_numeric() and frame[axis].n_unique() > MAX_AXIS_VALUES
        parts += _by_axis(axis_values(frame, axis, binned), axis)
        parts += _pairs_by_axis(axis_values(paired, axis, binned), axis)
    order = [*SUMMARY_KEYS[:4], "order", "value", "metric"]
    return pl.concat(parts, how="vertical").sort(order, maintain_order=True).drop("order")


def _by_axis(frame: pl.DataFrame, axis: str) -> list[pl.DataFrame]:
    groups = frame.lazy().group_by("policy", "value", "order")
    verdicts = groups.agg(pl.len(), *((pl.col("verdict") == name).sum().alias(name) for name in VERDICTS))
    out = [_counts(verdicts.with_columns(before=pl.lit("")), "verdict", axis, VERDICTS)]
    for section, columns in (("callback", CALLBACK), ("memory", MEMORY)):
        out.append(_figures(groups.agg(pl.len(), *_percentiles(columns)), section, axis))
    return out


def _pairs_by_axis(paired: pl.DataFrame, axis: str) -> list[pl.DataFrame]:
    groups = paired.lazy().rename({"after": "policy"}).group_by("before", "policy", "value", "order")
    classes = groups.agg(pl.len(), *((pl.col("class") == name).sum().alias(name) for name in CLASSES))
    added = groups.agg(pl.len(), *_percentiles(("memory_added_bytes",)))
    return [_counts(classes, "pair", axis, CLASSES), _figures(added, "pair", axis)]


def _percentiles(columns: tuple[str, ...]) -> list[pl.Expr]:
    return [
        pl.col(name).quantile(q, interpolation="nearest").alias(f"{name}_{label}")
        for name in columns
        for label, q in PERCENTILES.items()
    ]


def _counts(groups: pl.LazyFrame, section: str, axis: str, metrics: tuple[str, ...]) -> pl.DataFrame:
    long = groups.unpivot(list(metrics), index=_INDEX, variable_name="metric", value_name="count")
    return _tidy(long.with_columns(figure=pl.col("count") / pl.col("len")), section, axis)


def _figures(groups: pl.LazyFrame, section: str, axis: str) -> pl.DataFrame:
    wide = groups.collect()
    index = [name for name in _INDEX if name in wide.columns]
    long = wide.lazy().unpivot(index=index, variable_name="metric", value_name="figure")
    return _tidy(long.with_columns(count=pl.lit(None, dtype=pl.Int64)), section, axis)


_INDEX = ["before", "policy", "value", "order", "len"]


def _tidy(long: pl.LazyFrame, section: str, axis: str) -> pl.DataFrame:
    frame = long.collect()
    if "before" not in frame.columns:
        frame = frame.with_columns(before=pl.lit(""))
    return frame.select(
        pl.lit(section).alias("section"),
        "before",
        "policy",
        pl.lit(axis).alias("axis"),
        "value",
        pl.col("order").cast(pl.Float64),
        pl.col("len").cast(pl.Int64).alias("scenarios"),
        "metric",
        pl.col("count").cast(pl.Int64),
        pl.col("figure").cast(pl.Float64),
    )


def read_results(path: Path) -> pl.DataFrame:
    """The columns of a results.parquet that summary, map and table need."""
    wanted = ["id", "policy", *CONTENT, "verdict", *CALLBACK, *MEMORY]
    return pl.scan_parquet(path, glob=False).filter(status="ok").select(wanted).collect()


def write_summary(results_path: Path, out_dir: Path) -> pl.DataFrame:
    """Writes ``summary.parquet`` and ``summary.csv`` into ``out_dir``; returns the summary."""
    summary = summarize(read_results(results_path))
    summary.write_parquet(out_dir / "summary.parquet")
    summary.write_csv(out_dir / "summary.csv")
    return summary
