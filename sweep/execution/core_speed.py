"""How fast a core of this machine runs events, beside the one on which ``workers.task.estimate_seconds`` was measured.

Shared machines are two or three times as fast on some days as on others, so a forecast in seconds asks first.
"""

from __future__ import annotations

import functools
import time

from workers.schema import Columns
from workers.tables import complete_columns, to_columns
from workers.task import simulate

LOAD = {"cpus": 16, "unmap_burst": 64, "burst_period_us": 5e2, "in_flight": 128, "iova_pages": "16", "horizon_s": 0.02}
DEPOT = {"depot_kind": "array", "depot_capacity": 32, "trim_threshold": 0, "trim_period_ms": 0.0, "trim_magazines": 0}
DEPOT |= {"magazine_pfns": 128, "magazine_bytes": 2048, "flush_queue_bytes_per_cpu": 8208}
"""As conf/depot/array.yaml: a worker reads no configuration."""

RUNS = 5
LOAD_S = 2.65 * 0.0168
"""Seconds that LOAD takes on that core: 16.8 ms when cores were 2.65 times as fast (median of 461 scenarios)."""


@functools.cache
def core_factor() -> float:
    """Seconds that an estimated second takes here: the best of a few runs of one small load, once a process."""
    scenarios = complete_columns({name: [value] for name, value in LOAD.items()}) | to_columns([DEPOT])
    return min(_seconds(scenarios) for _ in range(RUNS)) / LOAD_S


def _seconds(scenarios: Columns) -> float:
    started = time.thread_time()
    simulate(scenarios)
    return time.thread_time() - started
