"""What a machine counted, as the row that ``workers.results.finish`` wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.results import CPU_MAGAZINES, softirq_columns

if TYPE_CHECKING:
    from workers.events.machine import Machine


def counters(m: Machine, trim_threshold: float) -> dict[str, Any]:
    """The counters at the horizon. Section 6 of kernel.md. ``trim_threshold``: magazines a bin keeps, of the policy
    this is asked for, which need not be the machine's own."""
    tree, now = m.tree, m.horizon_ns
    durations = [duration for _, duration in m.callbacks]
    unfinished_ns = 0.0 if m.callback_since_ns is None else now - m.callback_since_ns
    stay_ns = 0.0 if m.softirq_since_ns is None else now - m.softirq_since_ns
    return softirq_columns(durations, unfinished_ns, m.stay_max_ns, stay_ns) | {
        "long_stays": m.long_stays,
        "long_stays_ms": m.long_stays_ns / 1e6,
        "simulated_ms": now / 1e6,
        "irqs_off_max_ms": m.irqs_off_max_ns / 1e6,
        "rbtree_lock_held_fraction": min(m.held_ns / now, 1.0),
        "rbtree_lock_acquisitions": m.acquisitions,
        "rbtree_lock_wait_mean_us": m.wait_ns / max(m.acquisitions, 1) / 1e3,
        "rbtree_lock_wait_max_us": m.wait_max_ns / 1e3,
        "rbtree_erases": tree.erases,
        "rbtree_inserts": tree.inserts,
        "rbtree_walk_steps": tree.walk_steps,
        "ops_completed": m.ops,
        "map_failures": 0,
        "iovas_drained_by_timer": m.drained_by_timer,
        "iovas_drained_locally": m.drained_locally,
        "iotlb_flushes": m.flushes,
        "magazines_peak": CPU_MAGAZINES * m.cpus + m.depot_peak,
        "depot_magazines_peak": m.depot_peak,
        "depot_magazines_end": m.depot_magazines,
        "depot_surplus_largest_bin": max(max(r.peak for r in m.rcaches) - trim_threshold, 0),
        "iova_nodes_peak": m.structs_peak,
        "iova_nodes_end": m.structs,
        "iova_space_cached_peak_pages": m.cached_pages_peak,
    }
