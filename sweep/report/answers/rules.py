"""Plain rules: "locks up when .. and ..", from the boxes that hold the lockups of a policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from sweep.config import RATE
from sweep.report.answers.boxes import Box, boxes, covered
from sweep.report.answers.knobs import MOST_ROWS, knobs_of
from sweep.report.answers.words import named, pages, si
from workers.mixes import rounded_pages
from workers.results import PAGE_BYTES
from workers.schema import LOCKED, parse_iova_pages

MOST_LEVELS = 24
"""Levels of a feature; of more values neighbours share one."""

LEAST_SCENARIOS = 30
"""Of fewer a rule would say more about the choice of points than about the kernel."""

LARGEST, SPACE = "largest IOVA", "address space in flight"
NOT_FEATURES = ("iova_pages", "seed", "horizon_s", "costs")


@dataclass(frozen=True)
class Rule:
    """``text``: the conditions; of the scenarios that meet them (``rows``) how many lock up (``locked``)."""

    text: str
    rows: int
    locked: int


@dataclass(frozen=True)
class Rules:
    """What describes the lockups of a policy: of ``rows`` scenarios with a verdict ``locked`` lock up; all ``rules``
    together hold ``held_rows`` of them, of which ``held`` lock up."""

    policy: str
    rows: int
    locked: int
    rules: tuple[Rule, ...]
    held_rows: int
    held: int


def rules_of(table: pl.LazyFrame, policy: str) -> Rules:
    """The rules of a policy; ``table``: of ``Results``. Scenarios without a verdict do not count."""
    decided = table.filter(pl.col("policy") == policy, pl.col("verdict").is_not_null())
    names = [name for name in knobs_of(decided) if name not in NOT_FEATURES]
    raw = [*dict.fromkeys((*names, "iova_pages", "active_cpus", "in_flight"))]
    total = decided.select(pl.len()).collect().item()
    if total > MOST_ROWS:
        decided = decided.filter(pl.struct(raw).hash() % (1 + total // MOST_ROWS) == 0)
    counted = decided.group_by(raw).agg(
        pl.len().cast(pl.Int64).alias("rows"), (pl.col("verdict") == LOCKED).sum().cast(pl.Int64).alias("locked")
    )
    if not total:
        return Rules(policy, 0, 0, (), 0, 0)
    cells = _with_sizes(counted.sort(raw).collect())
    features = [name for name in (LARGEST, *names, SPACE) if cells[name].n_unique() > 1]
    rows, locked = cells["rows"].to_numpy(), cells["locked"].to_numpy()
    if not locked.sum() or not features or rows.sum() < LEAST_SCENARIOS:
        return Rules(policy, int(rows.sum()), int(locked.sum()), (), 0, 0)
    axes = [_axis(cells[name]) for name in features]
    levels = np.column_stack([level for level, _, _ in axes])
    found = boxes(levels, rows, locked)
    inside = covered(levels, found)
    said = tuple(Rule(_text(features, axes, box), box.rows, box.locked) for box in found)
    return Rules(policy, int(rows.sum()), int(locked.sum()), said, int(rows[inside].sum()), int(locked[inside].sum()))


def _with_sizes(cells: pl.DataFrame) -> pl.DataFrame:
    """With LARGEST, in pages, and SPACE, bytes of all IOVAs in flight, sizes up to 32 pages rounded up to a power of
    two as the allocator does."""
    texts = cells["iova_pages"].unique().to_list()
    parsed = {text: parse_iova_pages(text) for text in texts}
    largest = {text: max(sizes) for text, (sizes, _) in parsed.items()}
    mean = {t: sum(w * rounded_pages(size) for size, w in zip(*parsed[t], strict=True)) for t in texts}
    at = pl.col("iova_pages")
    space = pl.col("active_cpus") * pl.col("in_flight") * at.replace_strict(mean, return_dtype=pl.Float64) * PAGE_BYTES
    return cells.with_columns(
        at.replace_strict(largest, return_dtype=pl.Int64).alias(LARGEST), space.round_sig_figs(6).alias(SPACE)
    )


def _axis(column: pl.Series) -> tuple[np.ndarray, list[object], list[object]]:
    """The level of each value, and the least and the greatest value of each level."""
    values = column.unique().sort()
    starts = np.unique(np.linspace(0, len(values), min(MOST_LEVELS, len(values)) + 1).astype(int)[:-1])
    place = values.search_sorted(column, "left").to_numpy()
    lows = values[starts.tolist()].to_list()
    highs = values[[*(starts[1:] - 1).tolist(), len(values) - 1]].to_list()
    return np.searchsorted(starts, place, side="right") - 1, lows, highs


def _text(features: list[str], axes: list[tuple[np.ndarray, list[object], list[object]]], box: Box) -> str:
    """The conditions of a box; a range that reaches the end of what was run has no end."""
    said = []
    for feature, (_, lows, highs), low, high in zip(features, axes, box.low, box.high, strict=True):
        least, most = lows[low], highs[high]
        above, below = low > 0, high < len(lows) - 1
        if isinstance(least, str) and (above or below):  # words have no order to speak of
            words = [str(word) for place in range(low, high + 1) for word in dict.fromkeys((lows[place], highs[place]))]
            said.append(f"{named(feature)} = {' or '.join(words)}")
        elif above and below:
            both = _value(feature, least) if least == most else f"{_value(feature, least)} to {_value(feature, most)}"
            said.append(f"{named(feature)} {'=' if least == most else 'from'} {both}")
        elif above or below:
            sign = "=" if isinstance(least, bool) else "≥" if above else "≤"
            said.append(f"{named(feature)} {sign} {_value(feature, least if above else most)}")
    return " and ".join(said) or "always"


def _value(feature: str, value: object) -> str:
    if feature == SPACE and isinstance(value, float):
        return f"{value / 2**30:.3g} GiB"
    if feature == LARGEST:
        return pages(str(value))
    if feature == RATE and isinstance(value, float):
        return f"{si(value)}/s"
    return f"{value:g}" if isinstance(value, float) else str(value)
