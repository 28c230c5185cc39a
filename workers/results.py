"""From what a run counted to the result columns: verdict, memory by part, reclaim time.

Shared by the vectorized model and the scalar twin. Source of sizes: include/linux/iova.h and mm/slab_common.c, a struct
iova takes a 64-byte slab object; drivers/iommu/iova.c, each CPU holds ``loaded`` and ``prev`` of six bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workers import checked, hazard, policy
from workers.jiffies import rearm_period_ms
from workers.schema import LOCKED, RCACHE_BINS, RESULT_COLUMNS, Columns

IOVA_NODE_BYTES = 64
PAGE_BYTES = 4096
CPU_MAGAZINES = 2 * RCACHE_BINS
SOFT_LOCKUP_MS = 20_000.0
HARD_LOCKUP_MS = 10_000.0
LIKELY_LOCKUP = 0.5
"""Probability of a soft lockup over the exposure from which on the verdict is one."""

COUNTED = tuple(
    c.name
    for c in RESULT_COLUMNS
    if c.name not in ("verdict", "checked", "rcu_stall", "hard_lockup", "depot_reclaim_s")
    and not c.name.startswith("soft_lockup_")
    and not c.name.endswith("_bytes")
)
"""Result columns a run counts itself and hands to ``finish`` as they are."""


def full_magazine_bytes(depot: Mapping[str, Any]) -> int:
    """A full magazine with the struct iovas that its pfns keep allocated; ``depot``: depot columns of one row."""
    return int(depot["magazine_bytes"]) + IOVA_NODE_BYTES * int(depot["magazine_pfns"])


def long_stays(counted: Columns) -> hazard.Stays:
    """Of counters, shapes (rows,)."""
    return hazard.Stays(
        ended=counted["long_stays"],
        ended_s=counted["long_stays_ms"] / 1e3,
        log_s=counted["long_stays_log_s"],
        unfinished_s=counted["last_stay_ms"] / 1e3,
        seen_s=counted["simulated_ms"] / 1e3,
    )


def verdict(residency_ms: np.ndarray, lockup_probability: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """'soft_lockup', 'chained' or 'ok' for each row.

    ``residency_ms``: longest stay; ``lockup_probability``: that of a soft lockup over the exposure. Shapes (rows,).
    """
    locked = (residency_ms >= SOFT_LOCKUP_MS) | (lockup_probability >= LIKELY_LOCKUP)
    chained = residency_ms >= rearm_period_ms(hz)
    return np.where(locked, LOCKED, np.where(chained, "chained", "ok")).astype(object)


def finish(counted: Columns, scenarios: Columns) -> Columns:
    """All RESULT_COLUMNS, in order, from the counters of a run.

    ``counted`` holds every name in COUNTED and, beside them, shapes (rows,): what ``long_stays`` reads, which may be of
    more time than the horizon, ``iova_nodes_end``, ``iova_space_cached_peak_pages`` (of one domain), and
    ``depot_surplus_largest_bin`` (magazines by which the fullest bin's peak exceeded ``trim_threshold``).
    ``scenarios`` holds scenario and depot columns.
    """
    out = {name: counted[name] for name in COUNTED}
    residency_ms = counted["softirq_residency_max_ms"]
    expected = hazard.hazard(long_stays(counted), scenarios["exposure_s"])
    out["soft_lockup_hazard_per_hour"] = expected.per_hour
    out["soft_lockup_hazard_low_per_hour"] = expected.low_per_hour
    out["soft_lockup_hazard_high_per_hour"] = expected.high_per_hour
    out["soft_lockup_probability"] = expected.probability
    out["verdict"] = verdict(residency_ms, expected.probability, scenarios["hz"])
    out["checked"] = checked.checked(scenarios)
    out["rcu_stall"] = residency_ms >= 1e3 * scenarios["rcu_stall_s"]
    out["hard_lockup"] = counted["irqs_off_max_ms"] >= HARD_LOCKUP_MS
    out |= memory(counted, scenarios)
    out["depot_reclaim_s"] = depot_reclaim_s(counted["depot_surplus_largest_bin"], scenarios)
    return {c.name: np.asarray(out[c.name]).astype(object if c.kind is str else c.kind) for c in RESULT_COLUMNS}


def softirq_columns(
    callbacks_ns: Sequence[float], callback_ns: float, stay_max_ns: float, stay_ns: float
) -> dict[str, float]:
    """The columns of callbacks and stays of one row followed event by event.

    ``callbacks_ns``: durations of the finished callbacks; percentiles are sorted[floor(q n)]. ``callback_ns`` and
    ``stay_ns``: how long the callback and the stay that go on at the horizon have lasted, 0 without one, and below 0
    for a stay that begins beyond it: a CPU may be ahead of the others.
    """
    ordered, count = sorted(callbacks_ns), len(callbacks_ns)
    unfinished_ns = max(stay_ns, 0.0)
    return {
        "softirq_residency_max_ms": max(stay_max_ns, unfinished_ns) / 1e6,
        "unfinished_stay_ms": unfinished_ns / 1e6,
        "callback_count": count,
        "callback_mean_ms": sum(callbacks_ns) / count / 1e6 if count else 0.0,
        "callback_p50_ms": ordered[count // 2] / 1e6 if count else 0.0,
        "callback_p99_ms": ordered[int(count * 0.99)] / 1e6 if count else 0.0,
        "callback_max_ms": max(ordered[-1] if count else 0.0, callback_ns) / 1e6,
    }


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
    trims = policy.trims(scenarios)
    needed_s = np.where(trims, surplus / np.where(trims, rate_per_s, 1.0), np.inf)
    return np.where(listed, needed_s, 0.0)
