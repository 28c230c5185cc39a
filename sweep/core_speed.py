"""How fast a core of this machine is, beside the one on which ``workers.task.estimate_seconds`` was measured.

Shared machines are two or three times as fast on some days as on others, so a forecast in seconds asks first.
"""

from __future__ import annotations

import functools
import time

from workers.reference.run import depot_columns
from workers.schema import Columns, complete_columns
from workers.task import simulate

LOAD = {"cpus": 16, "unmap_burst": 64, "burst_period_us": 5e2, "in_flight": 128, "iova_pages": "16", "horizon_s": 0.02}
RUNS = 5
LOAD_S = 2.65 * 0.0168
"""What LOAD takes there: it took 16.8 ms on a day on which 461 scenarios took their estimate / 2.65 at the median."""


@functools.cache
def core_factor() -> float:
    """Seconds that an estimated second takes here: the best of a few runs of one small load, once a process."""
    scenarios = complete_columns({name: [value] for name, value in LOAD.items()})
    scenarios |= depot_columns(scenarios)
    return min(_seconds(scenarios) for _ in range(RUNS)) / LOAD_S


def _seconds(scenarios: Columns) -> float:
    started = time.thread_time()
    simulate(scenarios)
    return time.thread_time() - started
