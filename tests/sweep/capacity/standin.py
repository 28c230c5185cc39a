"""Models with a planted boundary: a load locks up by its rate and policy, not by anything an allocator does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sweep.capacity.fleet import HostClass, host_class
from sweep.command import library
from workers.schema import RESULT_COLUMNS, Columns

LIBRARY = library(None)
HORIZON_S = 2.0
_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}

Locks = Callable[[Columns], np.ndarray]
"""Scenario columns to which rows lock up, shape (rows,)."""


def rates(scenarios: Columns) -> np.ndarray:
    """Nominal unmaps/s of an active CPU, shape (rows,)."""
    return 1e6 * scenarios["unmap_burst"] / scenarios["burst_period_us"]


def above(limits: Mapping[str, float]) -> Locks:
    """Locks up where a queue is used and the rate is above the policy's limit; others never do."""

    def locks(scenarios: Columns) -> np.ndarray:
        limit = np.array([limits.get(policy, np.inf) for policy in scenarios["policy"].tolist()])
        return (rates(scenarios) > limit) & ~scenarios["strict"]

    return locks


def model(locks: Locks, hazard_per_hour: float = 2.0) -> Callable[[Columns], Columns]:
    """A model in which a lockup comes ``hazard_per_hour`` times an hour, half to twice that; a seed of 666 fails."""

    def simulate(scenarios: Columns) -> Columns:
        if (scenarios["seed"] == 666).any():
            raise ValueError("no such machine")
        rows = len(scenarios["cpus"])
        results = {c.name: np.full(rows, _ZERO[c.kind], object if c.kind is str else c.kind) for c in RESULT_COLUMNS}
        locked = locks(scenarios)
        results["verdict"] = np.where(locked, "soft_lockup", "ok").astype(object)
        results["checked"] = np.full(rows, True)
        results["callback_count"] = np.full(rows, 1)  # of none a sweep says that it ran too short
        results["ops_completed"] = (
            2 * rates(scenarios) * scenarios["active_cpus"] * scenarios["horizon_s"] / np.where(locked, 10, 1)
        ).astype(np.int64)
        results["memory_peak_bytes"] = scenarios["domains"] * scenarios["cpus"] * (1 << 20)
        results["memory_end_bytes"] = results["memory_peak_bytes"] // 2
        for name, factor in (("", 1.0), ("low_", 0.5), ("high_", 2.0)):
            results[f"soft_lockup_hazard_{name}per_hour"] = locked * hazard_per_hour * factor
        return results

    return simulate


def host(**cells: str) -> HostClass:
    """A host class of 16 CPUs and 1,000 unmaps/s each, but for the cells given."""
    usual = {"name": "h", "kernel": "5.15", "cpus": "16", "unmap_burst": "10", "in_flight": "64"}
    rate = {} if "workload" in cells or "burst_period_us" in cells else {"unmap_rate_per_s": "1000"}
    return host_class(usual | rate | cells, LIBRARY, HORIZON_S)
