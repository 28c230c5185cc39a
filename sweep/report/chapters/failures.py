"""What failed, and of what."""

from __future__ import annotations

import polars as pl

from sweep.document import Column, Section, Table
from sweep.report.view import View
from sweep.store.chunk import FAILED

MOST_ERRORS, MOST_TEXT = 10, 200


def section(view: View) -> Section | None:
    """The errors, the most frequent first; None where nothing failed."""
    failed = view.results.table.filter(pl.col("status") == FAILED)
    errors = (
        failed.group_by(pl.col("error").fill_null("no error was kept"))
        .agg(pl.len().alias("count"), pl.col("id").min())
        .sort("count", "error", descending=[True, False])
        .collect()
    )
    if errors.is_empty():
        return None
    rows = tuple((f"{n:,}", error[:MOST_TEXT], one) for error, n, one in errors.head(MOST_ERRORS).iter_rows())
    more = errors.height - MOST_ERRORS
    columns = (Column("scenarios", True), Column("error"), Column("one of them"))
    return Section("What failed", (Table("Errors", columns, rows, f"and {more:,} other errors" if more > 0 else ""),))
