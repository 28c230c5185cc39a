"""Runs scenarios to their horizons, in batches of lanes, and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workers import delicate, mixes
from workers.hazard import LONG_STAY_S, log_beyond
from workers.results import CPU_MAGAZINES
from workers.schema import Columns
from workers.slices import callbacks, params, state, steady, timer
from workers.slices.params import Params
from workers.slices.state import COUNTERS, Spans, State
from workers.slices.step import step

FEWER = 0.85
"""Share of lanes still running below which a batch is packed and filled up."""

WIDTH = 384
"""Lanes of a batch: enough to share numpy's cost per call, few enough for their arrays to stay in the caches."""

GONE = -1
"""Place of a lane whose results are collected: what it still does counts nowhere."""

ENDS = ("depot_end", "nodes_end", "unfinished_stay_ns", "unfinished_callback_ns", "depot_surplus", "simulated_ns")

Watch = Callable[[State, Params], None]


@dataclass
class Counted:
    """What the lanes that are done counted: COUNTERS and ENDS, shapes (rows,); since when a lane was steady as it left,
    inf where it was not; whether it is delicate and was left; finished callbacks and stays that chained."""

    columns: Columns
    steady_ns: np.ndarray
    delicate: np.ndarray
    callbacks: Spans = field(default_factory=list)
    stays: Spans = field(default_factory=list)


def run(scenarios: Columns, watch: Watch | None = None) -> Columns:
    """The counters of ``workers.results.finish`` for each scenario, shapes (rows,).

    ``scenarios``: scenario and depot columns. Rows with equally many size classes share a batch; as lanes finish,
    others take their places. ``watch`` sees the state after each step; with it every lane is simulated to its
    horizon. Without it one that is steady (workers.slices.steady) is not, and one to be followed (workers.delicate) is
    left: the column ``delicate`` is true, and its counters mean nothing.
    """
    rows = len(scenarios["cpus"])
    may_leave = np.zeros(rows, bool) if watch else delicate.affordable(scenarios)
    left = may_leave & delicate.followed(scenarios)
    done = Counted({name: np.zeros(rows) for name in (*COUNTERS, *ENDS)}, np.full(rows, np.inf), left)
    classes = mixes.of_mixes(scenarios["iova_pages"], len)
    for number in np.unique(classes[~left]):
        _run_batch(scenarios, np.flatnonzero((classes == number) & ~left), may_leave, done, watch)
    return _columns(done, 1e9 * scenarios["horizon_s"], scenarios["cpus"])


def _run_batch(
    scenarios: Columns, queue: np.ndarray, may_leave: np.ndarray, done: Counted, watch: Watch | None
) -> None:
    s, p = _begin(scenarios, queue[:WIDTH])
    queue = queue[WIDTH:]
    while p.lanes:
        running = np.ones(p.lanes, bool)
        while running.mean() >= FEWER:
            s = step(s, p)
            if watch:
                watch(s, p)
            else:
                _foretell(s, p, done)
            over = running & (s.lane_now_ns >= p.horizon_ns)
            left = running & may_leave[s.lane_id] & timer.near_chain(s, p)
            if (over | left).any():
                _collect(s, p, over, done)
                done.delicate[s.lane_id[left]] = True
                running &= ~(over | left)
                s.lane_id[over | left] = GONE
                s.lane_look_ns[over | left] = state.NEVER
        _take_spans(s, done)
        s, p = state.take_lanes(s, p, running)
        more, queue = np.split(queue, [WIDTH - p.lanes])
        if len(more):
            s, p = state.join_lanes(s, p, *_begin(scenarios, more))


def _begin(scenarios: Columns, rows: np.ndarray) -> tuple[State, Params]:
    p = params.from_columns({name: values[rows] for name, values in scenarios.items()})
    s = state.initial(p)
    s.lane_id = rows.copy()
    return s, p


def _foretell(s: State, p: Params, done: Counted) -> None:
    """Moves lanes that are steady to their horizons."""
    found = steady.watch(s, p)
    if found:
        ids = s.lane_id[found.lanes]
        done.columns["simulated_ns"][ids] = s.lane_now_ns[found.lanes]
        done.steady_ns[ids] = found.half["now_ns"]
        steady.extrapolate(s, p, found)


def _collect(s: State, p: Params, over: np.ndarray, done: Counted) -> None:
    out, ids = done.columns, s.lane_id[over]
    for name in COUNTERS:
        out[name][ids] = s.count[name][over]
    stay = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)
    running = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_callback_start_ns, 0.0)
    out["unfinished_stay_ns"][ids] = stay[over]
    out["unfinished_callback_ns"][ids] = running[over]
    out["residency_max_ns"][ids] = np.maximum(out["residency_max_ns"][ids], stay[over])
    out["depot_end"][ids] = s.lane_depot.sum(0)[over]
    out["nodes_end"][ids] = s.lane_nodes.sum(0)[over]
    out["depot_surplus"][ids] = np.maximum((s.lane_depot_peak - p.trim_threshold).max(0), 0.0)[over]


def _take_spans(s: State, done: Counted) -> None:
    """Moves the finished callbacks and stays from the state to ``done``, without those of lanes that are gone."""
    for spans, kept in ((s.callbacks, done.callbacks), (s.stays, done.stays)):
        for span in spans:
            real = span[0] != GONE
            if real.any():
                kept.append((span[0][real], span[1][real], span[2][real]))
    s.callbacks, s.stays = [], []


def _columns(done: Counted, horizon_ns: np.ndarray, cpus: np.ndarray) -> Columns:
    out = done.columns
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
        "iova_space_cached_peak_pages": out["cached_pages_peak"],
        "depot_surplus_largest_bin": out["depot_surplus"],
    }
    number, total_ns, log_s = _long_stays(done)
    whole["long_stays"] = number
    return (
        {"delicate": done.delicate}
        | {name: np.rint(value).astype(np.int64) for name, value in whole.items()}
        | callbacks.columns(
            done.callbacks, out["unfinished_callback_ns"], horizon_ns, out["simulated_ns"], done.steady_ns
        )
        | {
            "softirq_residency_max_ms": out["residency_max_ns"] / 1e6,
            "long_stays_ms": total_ns / 1e6,
            "long_stays_log_s": log_s,
            "last_stay_ms": out["unfinished_stay_ns"] / 1e6,
            "unfinished_stay_ms": out["unfinished_stay_ns"] / 1e6,
            "simulated_ms": np.where(np.isfinite(done.steady_ns), out["simulated_ns"], horizon_ns) / 1e6,
            "irqs_off_max_ms": out["irqs_off_max_ns"] / 1e6,
            "rbtree_lock_held_fraction": np.minimum(out["held_ns"] / horizon_ns, 1.0),
            "rbtree_lock_wait_mean_us": out["wait_ns"] / np.maximum(out["acquisitions"], 1.0) / 1e3,
            "rbtree_lock_wait_max_us": out["wait_max_ns"] / 1e3,
        }
    )


def _long_stays(done: Counted) -> np.ndarray:
    """Number of the stays of LONG_STAY_S and more that ended, their time in ns, and the sum of their ``log_beyond``;
    shape (3, rows)."""
    number, total_ns, log_s = out = np.zeros((3, len(done.steady_ns)))
    for ids, stay_ns, _ in done.stays:
        long = stay_ns >= 1e9 * LONG_STAY_S
        np.add.at(number, ids[long], 1.0)
        np.add.at(total_ns, ids[long], stay_ns[long])
        np.add.at(log_s, ids[long], log_beyond(stay_ns[long] / 1e9))
    return out
