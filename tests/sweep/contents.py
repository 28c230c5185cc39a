"""Contents of scenarios, as a plan gives them: scenario and depot columns."""

from __future__ import annotations

import numpy as np

from sweep.plan import TablePlan
from workers.schema import Columns
from workers.tables import complete_columns

DEPOT = {"depot_kind": "array", "depot_capacity": 32, "depot_capacity_per_cpu": 0, "trim_threshold_per_cpu": 0}
DEPOT |= {"trim_period_ms": 0, "trim_magazines": 0, "magazine_pfns": 128, "magazine_bytes": 2048}
DEPOT |= {"flush_queue_bytes_per_cpu": 8208}


def plan(*seeds: int) -> TablePlan:
    """A scenario for each seed, equal but for that, named by its place."""
    rows = len(seeds)
    given = {"cpus": np.full(rows, 8), "unmap_burst": np.full(rows, 4), "in_flight": np.full(rows, 16)}
    given |= {"burst_period_us": np.full(rows, 100.0), "seed": np.array(seeds, np.int64)}
    return TablePlan(complete_columns(given | {"id": [f"r{row}" for row in range(rows)]}), {"array": DEPOT})


def contents(*seeds: int) -> Columns:
    """The content of those scenarios."""
    return plan(*seeds).rows(np.arange(len(seeds)))
