"""Parquet files that polars writes itself, of tables that no memory holds."""

from __future__ import annotations

import errno
import os
import re
from typing import Any

import polars as pl

OWN = "parquet: "
"""How polars begins what it says of the file, not of the table."""


def sink(table: pl.LazyFrame, path: str, **options: Any) -> None:
    """``table.sink_parquet``; raises OSError where the disk fails, of which polars would make a ComputeError."""
    try:
        table.sink_parquet(path, **options)
    except pl.exceptions.ComputeError as error:
        if not str(error).startswith(OWN):
            raise
        number = _number(str(error), path)
        raise OSError(number, os.strerror(number), path) from None


def _number(said: str, path: str) -> int:
    """The disk's error; of a file's last bytes polars says 'transport error' and no more."""
    if told := re.search(r"\(os error (\d+)\)", said):
        return int(told[1])
    return errno.EIO if os.statvfs(os.path.dirname(path)).f_bavail else errno.ENOSPC
