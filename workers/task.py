"""The farm's entry into the model: a chunk of scenarios in, a file of results out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers import params, results, run
from workers.schema import Columns


@dataclass(frozen=True)
class ChunkReport:
    """What a worker hands back: where the rows are and what they cost."""

    path: str
    rows: int
    seconds: float


def simulate(scenarios: Columns) -> Columns:
    """RESULT_COLUMNS of each scenario, arrays of shape (rows,), in the order given."""
    counted = run.run(params.from_columns(scenarios))
    return results.finish(counted, scenarios)


def run_chunk(scenarios: Columns, path: str) -> ChunkReport:
    """Simulates a chunk and writes scenario and result columns to ``path`` (Parquet).

    ``scenarios``: scenario and depot columns, shapes (rows,). Written beside and renamed,
    so a file at ``path`` is always whole.
    """
    import polars as pl

    started = time.perf_counter()
    results = simulate(scenarios)
    table = pl.DataFrame(scenarios | results)
    beside = Path(f"{path}.part")
    table.write_parquet(beside)
    beside.replace(path)
    return ChunkReport(path, table.height, time.perf_counter() - started)


__all__ = ["ChunkReport", "np", "run_chunk", "simulate"]
