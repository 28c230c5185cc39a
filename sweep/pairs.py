"""Before and after: the same scenario under two policies.

Everything is lazy; ``in_file`` pairs many scenarios part by part, so that memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from sweep.parquet import sink
from workers.schema import LOCKED, SCENARIO_COLUMNS, ScenarioError

CLASSES = ("safe_in_both", "fixed", "broken_by_patch", "locked_in_both")
CONTENT = tuple(c.name for c in SCENARIO_COLUMNS if c.name not in ("id", "policy"))
"""What two scenarios share that differ in the policy alone."""

ALWAYS = ("cpus", "iova_pages", "unmap_burst", "burst_period_us")
"""Content that a pair has even where it is the same for all: the map and the table place it by that."""

PART_ROWS = 1 << 19
"""Rows of the results that are paired at once."""


def distinct(frame: pl.LazyFrame, column: str) -> pl.Series:
    """The values of a column, sorted."""
    return frame.select(column).unique().collect()[column].sort()


def varying(frame: pl.LazyFrame, more: tuple[str, ...] = ()) -> list[str]:
    """Columns of CONTENT, and of ``more``, with more than one value."""
    named = [*CONTENT, *more]
    ends = frame.select(pl.col(named).min().name.prefix("low "), pl.col(named).max().name.prefix("high ")).collect()
    return [name for name in named if ends[f"low {name}"].item() != ends[f"high {name}"].item()]


def policies(frame: pl.LazyFrame) -> list[str]:
    """The policies present: array and list first, the others by name."""
    first = {"array": 0, "list": 1}
    return sorted(distinct(frame, "policy"), key=lambda name: (first.get(name, 2), name))


def comparisons(present: list[str]) -> list[tuple[str, str]]:
    """(before, after) pairs: each policy against the first, and 6.12's list against 6.1's array."""
    against_first = [(present[0], name) for name in present[1:]]
    same_kernel = ("array_127", "list_127")
    extra = set(same_kernel) <= set(present) and same_kernel not in against_first
    return against_first + [same_kernel] * extra


@contextlib.contextmanager
def aside(frame: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """As ``in_file``, in temporary files; raises ScenarioError where these cannot be written."""
    with contextlib.ExitStack() as kept:
        try:
            paired = in_file(frame, Path(kept.enter_context(tempfile.TemporaryDirectory())))
        except OSError as error:
            where = error.filename or "a temporary file"
            raise ScenarioError(f"TMPDIR: {where} cannot be written ({error.strerror or error})") from None
        yield paired


def in_file(frame: pl.LazyFrame, folder: Path) -> pl.LazyFrame:
    """One row for each scenario with a verdict under both policies of a comparison, in no order, from files in
    ``folder``; raises OSError.

    Columns: ``before``, ``after`` (policies), the content that varies and ALWAYS, ``verdict_*`` and
    ``memory_peak_bytes_*`` of both, ``memory_added_bytes`` and ``class`` (one of CLASSES).
    """
    keyed = _keyed(frame)
    parts = 1 + frame.select(pl.len()).collect().item() // PART_ROWS
    for number, (before, after) in enumerate(comparisons(policies(frame)) or [("", "")]):
        for part in range(parts):
            some = keyed.filter(pl.col("content") % parts == part)
            sink(_pair(some, before, after), str(folder / f"pairs-{number}-{part}.parquet"))
    return pl.scan_parquet(sorted(folder.glob("pairs-*.parquet")), glob=False)


def _keyed(frame: pl.LazyFrame) -> pl.LazyFrame:
    """With the content's hash: of ten million scenarios, two share one by a chance of one in 300,000."""
    columns = [name for name in CONTENT if name in {*varying(frame), *ALWAYS}]
    wanted = frame.filter(pl.col("verdict").is_not_null()).select("policy", *columns, "verdict", "memory_peak_bytes")
    return wanted.with_columns(pl.struct(columns).hash().alias("content"))


def _pair(keyed: pl.LazyFrame, before: str, after: str) -> pl.LazyFrame:
    figures = ("verdict", "memory_peak_bytes")
    left, right = (keyed.filter(policy=name).unique("content", keep="any").drop("policy") for name in (before, after))
    joined = left.join(right.select("content", *figures), on="content", suffix="_after")
    joined = joined.rename({name: f"{name}_before" for name in figures}).drop("content")
    locked = [pl.col(f"verdict_{side}") == LOCKED for side in ("before", "after")]
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
