"""A stand-in for the model: quick, and wrong on purpose where a test asks for it by a scenario's id."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import polars as pl

from workers.schema import RESULT_COLUMNS, Columns
from workers.task import ChunkReport

_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}


def run_chunk(scenarios: Columns, path: str) -> ChunkReport:
    """Residency is a hash of the content, so that a row in the wrong place shows; ids that begin with
    'raise' raise, with 'full' find the disk full, with 'die' kill the process, with 'slow' take a minute."""
    ids = [str(name) for name in scenarios["id"]]
    if any(name.startswith("raise") for name in ids):
        raise ValueError("no such machine")
    if any(name.startswith("full") for name in ids):
        raise OSError(28, "No space left on device")
    if any(name.startswith("die") for name in ids):
        os._exit(1)
    if any(name.startswith("slow") for name in ids):
        time.sleep(60)
    results = {c.name: np.full(len(ids), _ZERO[c.kind], object if c.kind is str else c.kind) for c in RESULT_COLUMNS}
    results["softirq_residency_max_ms"] = scenarios["cpus"] + scenarios["in_flight"] / 1e4
    results["callback_count"] = np.array([os.getpid()] * len(ids))
    table = pl.DataFrame({name: list(v) if v.dtype == object else v for name, v in (scenarios | results).items()})
    table.write_parquet(f"{path}.part")
    Path(f"{path}.part").replace(path)
    return ChunkReport(path, len(ids), 0.01)
