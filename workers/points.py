"""Explicit scenarios from a CSV or Parquet file, as the farm and the scalar twin read them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from workers.schema import Columns, ScenarioError
from workers.tables import complete_columns

if TYPE_CHECKING:
    import polars as pl


def read_points(path: str | Path) -> Columns:
    """The scenarios of a file, checked and completed: every scenario column, shapes (rows,).

    Parquet where the name ends so, CSV otherwise. An empty cell means the column's default;
    ids pass through as text. Raises ScenarioError: no such file, unreadable, no rows, or what
    ``workers.tables.complete_columns`` refuses.
    """
    table = _read(Path(path).expanduser())
    if not table.height:
        raise ScenarioError(f"points: {path} holds no scenarios; at least one row is needed")
    try:
        return complete_columns({name: _values(table[name]) for name in table.columns})
    except ScenarioError as error:
        raise ScenarioError(f"points: {path}: {error}") from None


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        if path.is_dir():
            raise ScenarioError(f"points: {path} was given; it is a folder, allowed is a CSV or Parquet file")
        if not path.is_file():
            raise ScenarioError(f"points: {path} was given; there is no such file")
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        return _read_csv(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError, csv.Error) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ScenarioError(f"points: {path} cannot be read as CSV or Parquet ({first_line})") from None


def _read_csv(path: Path) -> pl.DataFrame:
    import polars as pl

    _check_header(path)
    try:
        table = pl.read_csv(path, infer_schema=False, glob=False)  # texts, so that an id "007" stays "007"
    except pl.exceptions.ComputeError:
        _refuse_long_rows(path)  # says which, where it is that
        raise
    return table.filter(~pl.all_horizontal(pl.all().is_null()))  # an empty line is no scenario


def _refuse_long_rows(path: Path) -> None:
    """Raises ScenarioError for the first row of more cells than the header has; empty lines do not count."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = (line for line in csv.reader(file) if any(line))
        columns = len(next(lines, []))
        for row, line in enumerate(lines, 1):
            if len(line) > columns:
                raise ScenarioError(
                    f"points: {path}: row {row}: {len(line)} cells were given for {columns} columns; quote cells with"
                    " commas"
                )


def _check_header(path: Path) -> None:
    """Raises ScenarioError for what reading a CSV file would hide: a column that comes twice, another separator."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    if len(header) == 1 and (found := re.search(r"[;\t|]", header[0])):
        raise ScenarioError(f"points: {path}: cells are separated by {found[0]!r}; allowed is a comma")
    for name in header:
        if name and header.count(name) > 1:
            raise ScenarioError(f"points: {path}: {name}: given twice; allowed is a column once")


def _values(column: pl.Series):
    """Numbers without gaps as an array; everything else as a list with None for an empty cell.

    Raises ScenarioError for a column of lists, structs or bytes.
    """
    kind = str(column.dtype)
    if column.dtype.is_nested() or kind == "Binary":
        raise ScenarioError(f"{column.name}: a column of {kind} was given; allowed are numbers, texts and bools")
    if column.dtype.is_numeric() and not column.null_count() and not kind.endswith("Int128"):  # numpy has none
        return column.to_numpy()
    return column.to_list()
