"""What changes during a run, and its start: every active CPU has mapped its IOVAs in flight.

Pfn counts are split by kind: kind ``2 * size class + side``, side 0 below 4 GiB, 1 above. Row arrays hold one
entry an active CPU of any lane (see workers.slices.params), lane arrays one a scenario. Counts are whole numbers
in float64, times are ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from workers import growth
from workers.phases import ALIGNED_SPREAD_NS, uniform_phases
from workers.slices import in_flight, noise
from workers.slices.in_flight import SEGMENTS
from workers.slices.noise import Stream
from workers.slices.params import Params
from workers.slices.rbtree import BANDS

NEVER = np.inf
FIRST_REQUEST_NS = 500.0
"""Guess of a hold before the first one: it sizes the first turn only."""


@dataclass
class State:
    """Shapes are (rows,) and (lanes,), after the name, unless said otherwise."""

    # rows: the workload
    row_next_ns: np.ndarray  # next burst
    row_busy: np.ndarray  # in a burst: maps or frees to the tree are left
    row_in_flight: np.ndarray  # (kinds, rows) IOVAs mapped
    row_fifo: np.ndarray  # (kinds, SEGMENTS, rows) the same by age, a circle of segments
    row_head: np.ndarray  # oldest segment
    row_tail: np.ndarray  # newest segment
    row_maps_left: np.ndarray  # (classes, rows) maps of the burst still to do
    row_requests: np.ndarray  # (classes, rows) frees to the tree that wait for its lock
    row_asked_ns: np.ndarray  # since when they wait
    # rows: flush-queue ring and rcache
    row_ring_old: np.ndarray  # (kinds, rows) entries a flush came after
    row_ring_new: np.ndarray  # (kinds, rows) entries appended since
    row_epoch: np.ndarray  # last flush of the lane that the row saw
    row_ring_holder: np.ndarray  # row that held the ring's lock last, -1 nobody
    row_loaded: np.ndarray  # (kinds, rows) pfns
    row_prev: np.ndarray  # (kinds, rows) pfns
    # lanes: clock and timer
    lane_id: np.ndarray  # place in the input, run.GONE once collected
    lane_now_ns: np.ndarray  # the lane's clock
    lane_steps: np.ndarray  # slices so far
    lane_epoch: np.ndarray  # flushes so far, as entries see them
    lane_timer_due_ns: np.ndarray  # NEVER: not armed
    lane_timer_row: np.ndarray  # where it is armed or runs
    lane_last_timer_row: np.ndarray  # where it ran last, -2 nowhere yet
    lane_in_callback: np.ndarray  # bool
    lane_callback_start_ns: np.ndarray  # of the running or last callback
    lane_softirq_start_ns: np.ndarray  # of the running or last stay
    lane_ring_pos: np.ndarray  # CPU whose ring is next, timer.FINISHED after the last
    lane_ring_since_ns: np.ndarray  # when the callback came to that ring
    lane_timer_credit_ns: np.ndarray  # time the callback has over from the last slice, negative if it owes some
    # lanes: depot and its work
    lane_depot: np.ndarray  # (classes, lanes) magazines
    lane_depot_pfns: np.ndarray  # (kinds, lanes) pfns in them
    lane_depot_peak: np.ndarray  # (classes, lanes) magazines
    lane_cached: np.ndarray  # (classes, lanes) pfns in loaded, prev and depot
    lane_demand: np.ndarray  # (classes, lanes) magazines that CPUs will take from the depot in this slice
    lane_work_due_ns: np.ndarray  # (classes, lanes) depot work, NEVER: not scheduled
    # lanes: tree and its lock
    lane_nodes: np.ndarray  # (sides, lanes)
    lane_cached_rank: np.ndarray  # (sides, lanes) share of the nodes below the cached node
    lane_holes: np.ndarray  # (sides, classes, lanes, BANDS) free slots by rank of their address
    lane_open_pages: np.ndarray  # below 4 GiB, never mapped so far
    lane_sealed_pages: np.ndarray  # max32_alloc_size, NEVER: open
    lane_pending: np.ndarray  # (kinds, lanes) pfns of row_requests
    lane_lock_debt_ns: np.ndarray  # time the lock is held beyond the slice that is over
    lane_lock_wait_ns: np.ndarray  # what a newcomer waits
    lane_request_ns: np.ndarray  # hold of a request, of the last that were served
    lane_turns: np.ndarray  # requests the callback may make before the waiting CPUs' next round
    lane_contended: np.ndarray  # bool: requests were left over
    lane_blocked: np.ndarray  # bool: the callback waits for its turn
    # lanes: what the watch for a steady state has seen (workers.slices.steady)
    lane_look_ns: np.ndarray  # when it looks next: each time twice as late
    lane_seen: np.ndarray  # (2, WATCHED, lanes) what it saw the last but one time, and the last
    # lanes: counters; finished callbacks and stays in the softirq that chained, as (lane ids, durations, ends)
    count: dict[str, np.ndarray]
    callbacks: Spans = field(default_factory=list)
    stays: Spans = field(default_factory=list)


Spans = list[tuple[np.ndarray, np.ndarray, np.ndarray]]

PEAKS = tuple(name for name in growth.PEAKS if name != "bin_peak")
"""Of lanes: that of each bin is ``lane_depot_peak``."""

WATCHED = (*growth.SUMS, *growth.PEAKS, "now_ns")

COUNTERS = (*growth.SUMS, *PEAKS, "wait_max_ns", "residency_max_ns", "irqs_off_max_ns")


def initial(p: Params) -> State:
    """The state after ``in_flight`` maps on every active CPU, in rounds over the CPUs; clocks at 0."""
    rows, lanes, classes = len(p.row_lane), p.lanes, p.classes
    kinds = 2 * classes
    lane = p.row_lane
    filled = _filled(p)
    fifo = _fill(p, filled.low_share)
    mapped = fifo.sum(1)
    nodes = np.zeros((2, lanes))
    for kind in range(kinds):
        nodes[kind % 2] += np.bincount(lane, mapped[kind], lanes)
    spread_ns = np.where(p.aligned, ALIGNED_SPREAD_NS, p.period_ns)[lane]
    phase = uniform_phases(p.seed, p.active, p.sizes_drawn)
    count = {name: np.zeros(lanes) for name in COUNTERS}
    count["nodes_peak"] = nodes.sum(0)
    return State(
        row_next_ns=phase * spread_ns,
        row_busy=np.zeros(rows, bool),
        row_in_flight=mapped,
        row_fifo=fifo,
        row_head=np.zeros(rows, np.int64),
        row_tail=np.full(rows, SEGMENTS - 1),
        row_maps_left=np.zeros((classes, rows)),
        row_requests=np.zeros((classes, rows)),
        row_asked_ns=np.zeros(rows),
        row_ring_old=np.zeros((kinds, rows)),
        row_ring_new=np.zeros((kinds, rows)),
        row_epoch=np.zeros(rows, np.int64),
        row_ring_holder=np.full(rows, -1),
        row_loaded=np.zeros((kinds, rows)),
        row_prev=np.zeros((kinds, rows)),
        lane_id=np.arange(lanes),
        lane_now_ns=np.zeros(lanes),
        lane_steps=np.zeros(lanes, np.int64),
        lane_epoch=np.zeros(lanes, np.int64),
        lane_timer_due_ns=np.full(lanes, NEVER),
        lane_timer_row=np.full(lanes, -1),
        lane_last_timer_row=np.full(lanes, -2),
        lane_in_callback=np.zeros(lanes, bool),
        lane_callback_start_ns=np.zeros(lanes),
        lane_softirq_start_ns=np.zeros(lanes),
        lane_ring_pos=np.zeros(lanes, np.int64),
        lane_ring_since_ns=np.zeros(lanes),
        lane_timer_credit_ns=np.zeros(lanes),
        lane_depot=np.zeros((classes, lanes)),
        lane_depot_pfns=np.zeros((kinds, lanes)),
        lane_depot_peak=np.zeros((classes, lanes)),
        lane_cached=np.zeros((classes, lanes)),
        lane_demand=np.zeros((classes, lanes)),
        lane_work_due_ns=np.full((classes, lanes), NEVER),
        lane_nodes=nodes,
        lane_cached_rank=np.ones((2, lanes)),
        lane_holes=np.zeros((2, classes, lanes, BANDS)),
        lane_open_pages=np.maximum(filled.open_pages, 0.0),
        lane_sealed_pages=filled.sealed_pages,
        lane_pending=np.zeros((kinds, lanes)),
        lane_lock_debt_ns=np.zeros(lanes),
        lane_lock_wait_ns=np.zeros(lanes),
        lane_request_ns=np.full(lanes, FIRST_REQUEST_NS),
        lane_turns=np.zeros(lanes),
        lane_contended=np.zeros(lanes, bool),
        lane_blocked=np.zeros(lanes, bool),
        lane_look_ns=p.earliest_ns / 4.0,
        lane_seen=np.zeros((2, len(WATCHED), lanes)),
        count=count,
    )


class Filled(NamedTuple):
    """The space below 4 GiB after the first maps: the share of each class that lies there, (classes, lanes); pages that
    are still open, and the size from which on maps fail there, (lanes,)."""

    low_share: np.ndarray
    open_pages: np.ndarray
    sealed_pages: np.ndarray


def _filled(p: Params) -> Filled:
    """Maps come from the top, sizes by weight, until the largest finds no room; smaller ones then fill what alignment
    left between them."""
    mapped = p.in_flight * p.active
    demand = p.weight * p.slot_pages * mapped
    lost = p.lost_pages * mapped
    share = np.where(p.dma32_first, np.minimum(1.0, p.room_below_4g_pages / (demand.sum(0) + lost)), 0.0)
    largest, smallest = p.pages.max(0), p.pages.min(0)
    smaller = np.where(p.pages < largest, demand, 0.0).sum(0)
    between, left = share * lost, (1.0 - share) * smaller
    filled = np.minimum(left, between)
    more = filled / np.maximum(smaller, 1.0)
    sealed = np.where(left >= between, smallest, largest)
    full = p.dma32_first & (share < 1.0)
    free = p.room_below_4g_pages - np.where(p.dma32_first, demand.sum(0) + lost, 0.0)
    return Filled(
        low_share=share + np.where(p.pages < largest, more, 0.0),
        open_pages=np.where(full, between - filled, free),
        sealed_pages=np.where(full, sealed, NEVER),
    )


def _fill(p: Params, low_share: np.ndarray) -> np.ndarray:
    """IOVAs in flight by age (kinds, SEGMENTS, rows): sizes by weight; the first lie below 4 GiB, while it has room."""
    lane, start = p.row_lane, np.zeros(1)
    out = np.zeros((2 * p.classes, SEGMENTS, len(lane)))
    left = p.in_flight[lane].copy()
    remaining = np.ones(p.lanes)
    for k in range(p.classes):
        u = noise.uniform(noise.row_key(p.seed[lane], start, Stream.FIRST_SIZES, p.row_cpu, k))
        share = np.minimum(p.weight[k] / np.maximum(remaining, 1e-12), 1.0)[lane]
        number = np.where(share > 1 - 1e-9, left, np.clip(np.floor(left * share + u), 0, left))
        v = noise.uniform(noise.row_key(p.seed[lane], start, Stream.FIRST_BELOW_4G, p.row_cpu, k))
        low = np.clip(np.floor(number * low_share[k, lane] + v), 0, number)
        out[2 * k : 2 * k + 2] = in_flight.fill(low, number)
        left = left - number
        remaining = remaining - p.weight[k]
    return out


def take_lanes(s: State, p: Params, keep: np.ndarray) -> tuple[State, Params]:
    """State and parameters of the lanes where ``keep`` (lanes,) holds, without what was logged so far."""
    rows = keep[p.row_lane]
    new_row = np.cumsum(rows) - 1

    def cut(name: str, value: np.ndarray) -> np.ndarray:
        if name.startswith("row_"):
            return value[..., rows]
        return value[:, :, keep, :] if value.ndim == 4 else value[..., keep]

    moved: dict[str, Any] = {name: cut(name, getattr(s, name)) for name in STATE_ARRAYS}
    for name in ROW_NUMBERS:
        old = moved[name]
        moved[name] = np.where(old >= 0, new_row[np.maximum(old, 0)], old)
    kept: dict[str, Any] = {name: cut(name, getattr(p, name)) for name in PARAM_ARRAYS}
    kept["row_lane"] = (np.cumsum(keep) - 1)[kept["row_lane"]]
    kept["first_row"] = np.concatenate(([0], np.cumsum(kept["active"])[:-1]))
    count = {name: value[keep] for name, value in s.count.items()}
    cost = {name: value[keep] for name, value in p.cost.items()}
    return State(**moved, count=count), Params(**kept, cost=cost)


def join_lanes(s: State, p: Params, more_s: State, more_p: Params) -> tuple[State, Params]:
    """State and parameters of two batches as one, the second's lanes behind; both have as many size classes."""

    def join(name: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.concatenate((one, other), axis=2 if one.ndim == 4 and name.startswith("lane_") else -1)

    rows = len(p.row_lane)
    joined: dict[str, Any] = {name: join(name, getattr(s, name), getattr(more_s, name)) for name in STATE_ARRAYS}
    for name in ROW_NUMBERS:
        behind = getattr(more_s, name)
        joined[name] = np.concatenate((getattr(s, name), np.where(behind >= 0, behind + rows, behind)))
    kept: dict[str, Any] = {name: join(name, getattr(p, name), getattr(more_p, name)) for name in PARAM_ARRAYS}
    kept["row_lane"] = np.concatenate((p.row_lane, more_p.row_lane + p.lanes))
    kept["first_row"] = np.concatenate((p.first_row, more_p.first_row + rows))
    count = {name: np.concatenate((value, more_s.count[name])) for name, value in s.count.items()}
    cost = {name: np.concatenate((value, more_p.cost[name])) for name, value in p.cost.items()}
    return State(**joined, count=count), Params(**kept, cost=cost)


STATE_ARRAYS = tuple(f.name for f in fields(State) if f.name.startswith(("row_", "lane_")))
PARAM_ARRAYS = tuple(f.name for f in fields(Params) if f.name != "cost")
ROW_NUMBERS = ("lane_timer_row", "lane_last_timer_row", "row_ring_holder")
"""Arrays that hold numbers of rows, negative where there is none."""
