"""What a results folder holds, as the report reads it: the table, lazily, and the manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from sweep.aggregate import with_rate
from sweep.output import MANIFEST
from sweep.results import NAME as RESULTS
from sweep.results import SCHEMA
from sweep.storage import Storage
from workers.schema import RESULT_COLUMNS, ScenarioError

FIGURES = tuple(c.name for c in RESULT_COLUMNS if c.name != "verdict")
"""Columns that results of an older version of the model may lack."""

DAMAGED = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises where the rows are read, of a table whose end, with what it says of them, is whole."""


@dataclass(frozen=True, eq=False)
class Results:
    """The results of one sweep.

    ``table``: a row a scenario, failed and unknown ones included, with the columns of results.parquet and
    ``unmap_rate_per_s``, the nominal unmaps/s of an active CPU; a column that an older version did not write is null.
    ``manifest``: manifest.json. ``url``: the folder.
    """

    table: pl.LazyFrame
    manifest: dict[str, Any]
    url: str = ""


def open_results(storage: Storage) -> Results:
    """The results in a folder or bucket; raises ScenarioError where there are none, or they cannot be read."""
    try:
        try:
            manifest = json.loads(storage.read(MANIFEST))
        except ValueError as error:
            raise ValueError(f"{MANIFEST} is damaged: {error}") from None
        if not isinstance(manifest, dict):
            raise ValueError(f"{MANIFEST} holds no object")
        path, options = storage.polars(RESULTS)
        table = complete(pl.scan_parquet(path, glob=False, storage_options=options or None))
        table.select(pl.len()).collect()
    except FileNotFoundError as error:
        missing = MANIFEST if MANIFEST in str(error) else RESULTS
        raise ScenarioError(
            f"DIR: {storage.url} was given; it holds no {missing}; allowed is the folder of a finished sweep"
        ) from None
    except (OSError, ValueError, *DAMAGED) as error:
        raise unreadable("DIR", storage.url, error) from None
    return Results(table, manifest, storage.url)


def unreadable(key: str, url: str, error: BaseException) -> ScenarioError:
    """What to say of the folder ``url``, which ``key`` named, where its results cannot be read."""
    first = str(error).partition("\n")[0]
    return ScenarioError(f"{key}: {url} was given; it cannot be read as results ({first})")


def complete(table: pl.LazyFrame) -> pl.LazyFrame:
    """A table of results with ``unmap_rate_per_s`` and, as nulls, the figures it lacks.

    Raises ValueError where a column is missing that every version wrote.
    """
    absent = {name: kind for name, kind in SCHEMA.items() if name not in table.collect_schema()}
    for name in absent:
        if name not in FIGURES:
            raise ValueError(f"{RESULTS} has no column {name}")
    return with_rate(table.with_columns(pl.lit(None, kind).alias(name) for name, kind in absent.items()))
