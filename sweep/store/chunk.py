"""A chunk file: the results of some scenarios as Parquet, named by the hash of its bytes.

The name is the check: whoever reads a chunk hashes its bytes before polars sees them, because a truncated Parquet file
makes polars raise what ``except Exception`` does not catch. It holds no scenario columns and no times, so that the
same scenarios give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from sweep.store.keys import to_hex
from workers.schema import RESULT_COLUMNS, Columns

ENDING = ".parquet"
OK, FAILED = "ok", "failed"
TYPES: dict[type, Any] = {int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), str: pl.String()}
RESULTS: dict[str, Any] = {c.name: TYPES[c.kind] for c in RESULT_COLUMNS} | dict.fromkeys(
    ("status", "error"), TYPES[str]
)
SCHEMA = {"scenario_key": pl.String(), **RESULTS}


class DamagedChunk(Exception):
    """A chunk file whose bytes are not those it was written with; ``name``: which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is damaged")
        self.name = name


def table(keys: np.ndarray, results: Columns, done: np.ndarray, errors: Mapping[int, str]) -> pl.DataFrame:
    """A chunk of all ``keys``, in their order. ``results``: of the rows ``done``; ``errors``: row -> what it raised."""
    values = {name: list(v) if v.dtype == object else v for name, v in results.items()}
    finished = pl.DataFrame({"row": done, **values}).with_columns(status=pl.lit(OK))
    failed = pl.DataFrame({"row": list(errors), "error": list(errors.values())}, {"row": pl.Int64, "error": pl.String})
    both = pl.concat([finished, failed.with_columns(status=pl.lit(FAILED))], how="diagonal")
    absent = [pl.lit(None, kind).alias(name) for name, kind in RESULTS.items() if name not in both.columns]
    ordered = both.with_columns(absent).sort("row").with_columns(scenario_key=pl.Series(to_hex(keys)))
    return ordered.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def encode(chunk: pl.DataFrame) -> bytes:
    """A chunk as bytes."""
    written = io.BytesIO()
    chunk.write_parquet(written)
    return written.getvalue()


def name_of(data: bytes, version: str) -> str:
    """The name of a chunk file below the store."""
    digest = _hash(data)
    return f"{version}/{digest[:2]}/{digest}{ENDING}"


def decode(name: str, data: bytes, columns: list[str] | None = None) -> pl.DataFrame:
    """The chunk (or some columns of it) in the file ``name``; raises DamagedChunk where these are not its bytes."""
    if name.rpartition("/")[2] != _hash(data) + ENDING:
        raise DamagedChunk(name)
    try:
        return pl.read_parquet(io.BytesIO(data), columns=columns)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # whole, but put there by somebody else
        raise DamagedChunk(name) from None


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
