"""Synthetic results tables with every column of workers.schema."""

from __future__ import annotations

from itertools import product
from typing import Any

import polars as pl

from sweep.pairs import aside
from workers.schema import RESULT_COLUMNS
from workers.tables import complete_row

_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}
_SOME = {"callback_count": 1}


def result_row(scenario: dict[str, Any], **result: Any) -> dict[str, Any]:
    """A completed scenario and a result that is all zeros, one callback apart, but for what is given."""
    given = {"cpus": 8, "unmap_burst": 16, "burst_period_us": 1000.0, "in_flight": 64} | scenario
    row = complete_row(given)
    content = ",".join(f"{key}={given[key]}" for key in sorted(given))
    results = {c.name: (_SOME | result).get(c.name, _ZERO[c.kind]) for c in RESULT_COLUMNS}
    return row | {"id": content} | results | {"status": "ok", "error": None, "cell": "run"}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows made by ``result_row`` as a table."""
    return pl.DataFrame(list(rows), schema_overrides={"error": pl.String})


def lazy(*rows: dict[str, Any]) -> pl.LazyFrame:
    """The same, as the summary, the map and the table take it."""
    return frame(*rows).lazy()


def paired(table: pl.LazyFrame) -> pl.DataFrame:
    """The pairs of a results table."""
    with aside(table) as kept:
        return kept.collect()


def boundary_frame(policies: tuple[str, ...] = ("array", "list")) -> pl.DataFrame:
    """A table with a known boundary in CPUs x rate: array locks up, list does not, oversize locks up in both."""
    rows = []
    for policy, pages, cpus, rate, in_flight in product(
        policies, ("1", "16", "64"), (16, 64, 256), (1000, 10_000, 100_000), (256, 512)
    ):
        load = cpus * rate * in_flight * (0 if pages == "1" else 1)
        hard = pages == "64" or not policy.startswith("list")
        verdict = "ok" if load < 64 * 10_000 * 512 or not hard else "chained" if load < 256e4 * 512 else "soft_lockup"
        scenario = {
            "cpus": cpus,
            "iova_pages": pages,
            "unmap_burst": 64,
            "burst_period_us": 64e6 / rate,
            "in_flight": in_flight,
            "policy": policy,
        }
        memory = cpus * (1 << 16) + (1 << 20) * (policy != "array") * cpus // 16
        rows.append(result_row(scenario, verdict=verdict, memory_peak_bytes=memory, callback_max_ms=load / 1e9))
    return frame(*rows)


def damaged(parquet: bytes) -> bytes:
    """A Parquet file that has lost what its first page says of itself, but not its end."""
    return parquet[:4] + bytes(byte ^ 0xFF for byte in parquet[4:44]) + parquet[44:]
