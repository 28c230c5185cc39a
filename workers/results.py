"""From what a run counted to the result columns: verdict, memory by part, reclaim time.

Shared by the vectorized model and the scalar twin. Sizes are those of the reference
note (kernel.md, section 6): a struct iova takes a 64-byte slab object, each CPU holds
``loaded`` and ``prev`` for six bins.
"""

from __future__ import annotations

import numpy as np

from workers.schema import RCACHE_BINS, RESULT_COLUMNS, Columns

IOVA_NODE_BYTES = 64
PAGE_BYTES = 4096
CPU_MAGAZINES = 2 * RCACHE_BINS
SOFT_LOCKUP_MS = 20_000.0
HARD_LOCKUP_MS = 10_000.0
LONG_STAY_MS = 1_000.0
LONG_STAY_NS = 1e6 * LONG_STAY_MS
LONG_STAY_SHARE = 0.75

COUNTED = tuple(
    c.name
    for c in RESULT_COLUMNS
    if c.name not in ("verdict", "rcu_stall", "hard_lockup", "depot_reclaim_s") and not c.name.endswith("_bytes")
)
"""Result columns a run counts itself and hands to ``finish`` as they are."""


def rearm_period_ms(hz: np.ndarray) -> np.ndarray:
    """Longest time from arming the 10 ms flush timer to its run, in ms.

    ``hz``: ticks a second, any shape. Source: kernel/time/timer.c, calc_index(): the
    wheel rounds up by one jiffy, so (msecs_to_jiffies(10) + 1) ticks.
    """
    hz = np.asarray(hz)
    return rearm_jiffies(hz) * 1000.0 / hz


def rearm_jiffies(hz: np.ndarray) -> np.ndarray:
    """The same in ticks: msecs_to_jiffies(10) + 1."""
    return -(-10 * hz // 1000) + 1


def verdict(residency_ms: np.ndarray, unfinished_ms: np.ndarray, long_stay_share: np.ndarray, hz: np.ndarray):
    """'soft_lockup', 'chained' or 'ok' for each row (kernel.md, section 6).

    ``residency_ms``: longest stay; ``unfinished_ms``: the stay still going on at the horizon, 0 if none;
    ``long_stay_share``: share of the time spent in stays of 1 s and more. Shapes (rows,).
    """
    locked = (residency_ms >= SOFT_LOCKUP_MS) | (unfinished_ms >= LONG_STAY_MS) | (long_stay_share >= LONG_STAY_SHARE)
    chained = residency_ms >= rearm_period_ms(hz)
    return np.where(locked, "soft_lockup", np.where(chained, "chained", "ok")).astype(object)


def finish(counted: Columns, scenarios: Columns) -> Columns:
    """All RESULT_COLUMNS, in order, from the counters of a run.

    ``counted`` holds every name in COUNTED and, beside them, shapes (rows,):
    ``unfinished_stay_ms`` and ``long_stay_share`` (see ``verdict``), ``iova_nodes_end``,
    ``iova_space_cached_peak_pages`` (of one domain), and ``depot_surplus_largest_bin``
    (magazines by which the fullest bin's peak exceeded ``trim_threshold``).
    ``scenarios`` holds scenario and depot columns.
    """
    out = {name: counted[name] for name in COUNTED}
    residency_ms = counted["softirq_residency_max_ms"]
    out["verdict"] = verdict(
        residency_ms, counted["unfinished_stay_ms"], counted["long_stay_share"], scenarios["hz"]
    )
    out["rcu_stall"] = residency_ms >= 1e3 * scenarios["rcu_stall_s"]
    out["hard_lockup"] = counted["irqs_off_max_ms"] >= HARD_LOCKUP_MS
    out |= memory(counted, scenarios)
    out["depot_reclaim_s"] = depot_reclaim_s(counted["depot_surplus_largest_bin"], scenarios)
    return {c.name: np.asarray(out[c.name]).astype(object if c.kind is str else c.kind) for c in RESULT_COLUMNS}


def memory(counted: Columns, scenarios: Columns) -> Columns:
    """The memory columns, in bytes, times domains (struct iova 64, rings and magazines as the policy says)."""
    domains, cpus = scenarios["domains"], scenarios["cpus"]
    magazine = scenarios["magazine_bytes"] * domains
    node = IOVA_NODE_BYTES * domains
    parts = {
        "cpu_magazines_bytes": CPU_MAGAZINES * cpus * magazine,
        "depot_magazines_bytes": counted["depot_magazines_peak"] * magazine,
        "iova_nodes_bytes": counted["iova_nodes_peak"] * node,
        "flush_queue_bytes": np.where(
            scenarios["strict"], 0, cpus * scenarios["flush_queue_bytes_per_cpu"] * domains
        ),
    }
    constant = parts["cpu_magazines_bytes"] + parts["flush_queue_bytes"]
    return parts | {
        "memory_peak_bytes": sum(parts.values()),
        "memory_end_bytes": constant + counted["depot_magazines_end"] * magazine + counted["iova_nodes_end"] * node,
        "iova_space_cached_peak_bytes": counted["iova_space_cached_peak_pages"] * PAGE_BYTES * domains,
    }


def depot_reclaim_s(surplus: np.ndarray, scenarios: Columns) -> np.ndarray:
    """Seconds the depot work needs for ``surplus`` magazines of one bin; 0 for array, inf where nothing trims.

    Source: drivers/iommu/iova.c, iova_depot_work_func(): one magazine each 100 ms.
    """
    listed = (scenarios["depot_kind"] == "list") & (surplus > 0)
    rate_per_s = 1e3 * scenarios["trim_magazines"] / np.maximum(scenarios["trim_period_ms"], 1e-9)
    trims = (scenarios["trim_period_ms"] > 0) & (scenarios["trim_magazines"] > 0)
    needed_s = np.where(trims, surplus / np.where(trims, rate_per_s, 1.0), np.inf)
    return np.where(listed, needed_s, 0.0)
