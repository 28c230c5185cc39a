"""Results made by hand, as ``sweep.report.inputs`` would read them."""

from __future__ import annotations

from typing import Any

import polars as pl

from sweep.report.inputs import Results, complete
from sweep.results import SCHEMA
from workers import MODEL_VERSION


def table(*rows: dict[str, Any]) -> pl.LazyFrame:
    """Rows of ``tests.sweep.frames.result_row`` as the report reads them."""
    kinds = {name: kind for name, kind in SCHEMA.items() if any(name in row for row in rows)}
    return complete(pl.DataFrame(list(rows), schema_overrides=kinds).lazy())


def results(*rows: dict[str, Any], **manifest: Any) -> Results:
    """A sweep of these rows."""
    return Results(table(*rows), {"versions": {"model": MODEL_VERSION}} | manifest, "DIR")
