"""Runs a batch of lanes to their horizons and counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workers.params import Params
from workers.results import CPU_MAGAZINES, LONG_STAY_NS
from workers.schema import Columns
from workers.state import COUNTERS, State, initial, take_lanes
from workers.step import step

FEWER = 0.8
"""Share of lanes still running below which the batch is packed."""

GONE = -1
"""Place of a lane whose results are collected: what it still does counts nowhere."""


def run(p: Params, watch: Callable[[State, Params], None] | None = None) -> Columns:
    """The counters of ``workers.results.finish`` for each lane, shapes (lanes,); ``watch`` sees each step's state."""
    lanes = p.lanes
    out: dict[str, np.ndarray] = {name: np.zeros(lanes) for name in (*COUNTERS, *ENDS)}
    finished: list[tuple[np.ndarray, np.ndarray]] = []
    s = initial(p)
    horizon_ns = p.horizon_ns
    cpus = p.cpus
    running = np.ones(lanes, bool)
    while p.lanes:
        s = step(s, p)
        if watch:
            watch(s, p)
        over = running & (s.lane_now_ns >= p.horizon_ns)
        if over.any():
            _collect(s, p, over, out)
            finished += s.callbacks
            s.callbacks = []
            running &= ~over
            s.lane_id[over] = GONE
        if running.mean() < FEWER:
            finished += s.callbacks
            s.callbacks = []
            s, p = take_lanes(s, p, running)
            running = running[running]
    return _columns(out, finished, horizon_ns, cpus)


ENDS = ("depot_end", "nodes_end", "unfinished_stay_ns", "callback_max_ns", "depot_surplus")


def _collect(s: State, p: Params, over: np.ndarray, out: dict[str, np.ndarray]) -> None:
    ids = s.lane_id[over]
    for name in COUNTERS:
        out[name][ids] = s.count[name][over]
    stay = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)
    running = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_callback_start_ns, 0.0)
    out["unfinished_stay_ns"][ids] = stay[over]
    out["callback_max_ns"][ids] = running[over]
    out["residency_max_ns"][ids] = np.maximum(out["residency_max_ns"][ids], stay[over])
    out["depot_end"][ids] = s.lane_depot.sum(0)[over]
    out["nodes_end"][ids] = s.lane_nodes.sum(0)[over]
    out["depot_surplus"][ids] = np.maximum((s.lane_depot_peak - p.trim_threshold).max(0), 0.0)[over]


def _callback_columns(out: dict[str, np.ndarray], finished: list[tuple[np.ndarray, np.ndarray]], lanes: int) -> Columns:
    ids = np.concatenate([f[0] for f in finished]) if finished else np.zeros(0, int)
    ns = np.concatenate([f[1] for f in finished]) if finished else np.zeros(0)
    ids, ns = ids[ids != GONE], ns[ids != GONE]
    order = np.lexsort((ns, ids))
    ids, ns = ids[order], ns[order]
    number = np.bincount(ids, minlength=lanes)
    first = np.cumsum(number) - number
    some = number > 0

    def quantile(q: float) -> np.ndarray:
        at = np.where(some, first + np.floor(q * number).astype(int), 0)
        return np.where(some, ns[np.minimum(at, max(len(ns) - 1, 0))] if len(ns) else 0.0, 0.0) / 1e6

    mean = np.bincount(ids, ns, lanes) / np.maximum(number, 1) / 1e6
    longest = np.where(some, ns[np.maximum(first + number - 1, 0)] if len(ns) else 0.0, 0.0)
    return {
        "callback_count": number,
        "callback_mean_ms": mean,
        "callback_p50_ms": quantile(0.5),
        "callback_p99_ms": quantile(0.99),
        "callback_max_ms": np.maximum(longest, out["callback_max_ns"]) / 1e6,
    }


def _columns(
    out: dict[str, np.ndarray], finished: list[tuple[np.ndarray, np.ndarray]], horizon_ns: np.ndarray, cpus: np.ndarray
) -> Columns:
    whole = {
        "rbtree_lock_acquisitions": out["acquisitions"],
        "rbtree_erases": out["erases"],
        "rbtree_inserts": out["inserts"],
        "rbtree_walk_steps": out["walk_steps"],
        "ops_completed": out["ops"],
        "map_failures": out["failures"],
        "iovas_drained_by_timer": out["drained_by_timer"],
        "iovas_drained_locally": out["drained_locally"],
        "iotlb_flushes": out["flushes"],
        "magazines_peak": CPU_MAGAZINES * cpus + out["depot_peak"],
        "depot_magazines_peak": out["depot_peak"],
        "depot_magazines_end": out["depot_end"],
        "iova_nodes_peak": out["nodes_peak"],
        "iova_nodes_end": out["nodes_end"],
        "iova_space_cached_peak_pages": out["cached_peak_pages"],
        "depot_surplus_largest_bin": out["depot_surplus"],
    }
    long_ns = out["long_stays_ns"] + np.where(out["unfinished_stay_ns"] >= LONG_STAY_NS, out["unfinished_stay_ns"], 0.0)
    return (
        {name: np.rint(value).astype(np.int64) for name, value in whole.items()}
        | _callback_columns(out, finished, len(horizon_ns))
        | {
            "softirq_residency_max_ms": out["residency_max_ns"] / 1e6,
            "unfinished_stay_ms": out["unfinished_stay_ns"] / 1e6,
            "long_stay_share": long_ns / horizon_ns,
            "irqs_off_max_ms": out["irqs_off_max_ns"] / 1e6,
            "rbtree_lock_held_fraction": np.minimum(out["held_ns"] / horizon_ns, 1.0),
            "rbtree_lock_wait_mean_us": out["wait_ns"] / np.maximum(out["acquisitions"], 1.0) / 1e3,
            "rbtree_lock_wait_max_us": out["wait_max_ns"] / 1e3,
        }
    )
