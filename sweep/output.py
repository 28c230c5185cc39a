"""The folder of a sweep: which one, whether it may be used, and the one table of results in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from workers import MODEL_VERSION
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, Columns, ScenarioError

RESULTS, MANIFEST, CHUNKS = "results.parquet", "manifest.json", "chunks"
SCHEMA: dict[str, pl.DataType] = {
    c.name: {int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), str: pl.String()}[c.kind]
    for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)
}
"""Columns of results.parquet, in order."""


def folder_of(output: str | None, name: str) -> Path:
    """``output``, or results/NAME/TIME (UTC) below the current folder; raises ScenarioError for an unfit name."""
    if output is not None:
        if not output:
            raise ScenarioError("output: an empty text was given; allowed is the path of a folder")
        return Path(output).absolute()
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ScenarioError(
            f"grid.name: {name!r} was given; allowed are letters, digits, _, - and ., as it names a folder"
        )
    parent, now = Path("results", name).absolute(), datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    same_second = len(list(parent.glob(f"{now}*"))) if parent.is_dir() else 0
    return parent / (f"{now}-{same_second + 1}" if same_second else now)


def sweep_key(columns: Columns) -> str:
    """A hash of every scenario, its id and order, and of the model's version: what makes a sweep this one."""
    digest = hashlib.sha256(MODEL_VERSION.encode())
    for name, values in columns.items():
        digest.update(f"\0{name}\0".encode())
        digest.update("\0".join(values).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest()


def refuse_foreign(folder: Path, key: str) -> None:
    """Raises ScenarioError where the folder cannot be written, or holds something else than the sweep ``key``."""
    try:
        if folder.is_dir():
            if any(folder.iterdir()) and _key_in(folder) != key:
                raise ScenarioError(
                    f"output: {folder} holds something else than this sweep; give an empty or a new folder"
                )
            writable = folder
        else:
            writable = next(parent for parent in (folder, *folder.parents) if parent.exists())
        with tempfile.TemporaryFile(dir=writable):  # the one sure test: root passes every check of permissions
            pass
    except OSError as error:
        raise ScenarioError(f"output: {folder} cannot be written ({error.strerror})") from None


def _key_in(folder: Path) -> str | None:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sweep_key"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def join_chunks(folder: Path) -> Path:
    """results.parquet from the chunk files, in input order, a row a scenario; written beside and renamed."""
    parts = sorted((folder / CHUNKS).glob("*.parquet"))
    beside, results = folder / f"{RESULTS}.part", folder / RESULTS
    if parts:
        rows = pl.scan_parquet(parts, glob=False)
        rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sink_parquet(beside)
    else:
        pl.DataFrame(schema=SCHEMA).write_parquet(beside)
    os.replace(beside, results)
    return results
