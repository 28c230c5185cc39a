"""What polars says of a disk that fails, as an OSError."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from sweep import parquet

FULL = "parquet: File out of specification: underlying IO error: No space left on device (os error 28)"
LAST = "parquet: File out of specification: Invalid thrift: transport error"


@pytest.mark.parametrize(
    ("said", "free", "number"), [(FULL, 9, errno.ENOSPC), (LAST, 0, errno.ENOSPC), (LAST, 9, errno.EIO)]
)
def test_a_disk_that_fails(said: str, free: int, number: int, tmp_path: Path, monkeypatch: Any) -> None:
    def failing(table: pl.LazyFrame, path: str) -> None:
        raise pl.exceptions.ComputeError(said)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", failing)
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_bavail=free))
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        parquet.sink(pl.LazyFrame(), str(tmp_path / "t"))
    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path / "t"))


def test_a_mistake_in_the_table_is_none_of_the_disk_s(tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        parquet.sink(pl.LazyFrame({"a": ["x"]}).select(pl.col("a").str.to_integer()), str(tmp_path / "t"))


def test_what_it_writes(tmp_path: Path) -> None:
    parquet.sink(pl.LazyFrame({"a": [1]}), str(tmp_path / "t"))
    assert pl.read_parquet(tmp_path / "t")["a"].to_list() == [1]
