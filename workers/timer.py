"""The flush-queue timer: arming, the callback that drains every ring, and the chain that never leaves the softirq.

Source: drivers/iommu/iova.c (5.15), fq_flush_timeout(); kernel/time/timer.c, __mod_timer(), __run_timers().
The timer is armed by the first unmap after a callback began, fires timer_jiffies ticks later on the CPU that
armed it, or on the CPU whose callback is running. Due before its callback ends, it runs again at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import depot, magazines, tree
from workers.flush_queue import part_of
from workers.params import Params
from workers.state import NEVER, State

WINDOW = 128


class Drain(NamedTuple):
    """Rings a callback could visit next: rows (n, WINDOW), and what each visit costs and frees."""

    rows: np.ndarray
    exists: np.ndarray
    entries: np.ndarray
    oversize: np.ndarray
    lock_ns: np.ndarray


def arm(s: State, p: Params, first_unmap_ns: np.ndarray, first_row: np.ndarray) -> None:
    """Arms idle timers at the lane's first unmap (inf: none), on ``first_row`` or where the callback runs."""
    arms = np.isfinite(first_unmap_ns) & (s.lane_timer_due_ns == NEVER) & ~p.strict
    at = np.where(arms, first_unmap_ns, 0.0)
    due = (np.floor(at / p.tick_ns) + p.timer_jiffies) * p.tick_ns
    s.lane_timer_due_ns = np.where(arms, due, s.lane_timer_due_ns)
    s.lane_timer_row = np.where(arms & ~s.lane_in_callback, first_row, s.lane_timer_row)


def fire(s: State, p: Params) -> None:
    """Starts the callbacks that are due: one flush releases everything queued so far."""
    due = ~s.lane_in_callback & (s.lane_timer_due_ns <= s.lane_now_ns)
    if due.any():
        s.lane_softirq_start_ns = np.where(due, s.lane_now_ns, s.lane_softirq_start_ns)
        _start(s, p, due)


def _start(s: State, p: Params, due: np.ndarray) -> None:
    s.lane_in_callback = s.lane_in_callback | due
    s.lane_callback_start_ns = np.where(due, s.lane_now_ns, s.lane_callback_start_ns)
    s.lane_timer_due_ns = np.where(due, NEVER, s.lane_timer_due_ns)
    s.lane_ring_pos = np.where(due, 0, s.lane_ring_pos)
    s.lane_timer_credit_ns = np.where(due, -p.cost["iotlb_flush_ns"], s.lane_timer_credit_ns)
    s.lane_epoch = s.lane_epoch + due
    s.lane_last_flush_ns = np.where(due, s.lane_now_ns, s.lane_last_flush_ns)
    s.count["flushes"] += due


def release(s: State, p: Params, rows: np.ndarray) -> None:
    """Brings the rings of ``rows`` up to date with the flushes of their lane."""
    stale = s.row_epoch[rows] < s.lane_epoch[p.row_lane[rows]]
    r = rows[stale]
    s.row_ring_old[:, r] += s.row_ring_new[:, r]
    s.row_ring_new[:, r] = 0.0
    s.row_epoch[r] = s.lane_epoch[p.row_lane[r]]


def drain(s: State, p: Params, length_ns: np.ndarray) -> np.ndarray:
    """Lets running callbacks work for at most ``length_ns`` (lanes,); the time they took, and the lanes' slice with it.

    A slice ends early where a callback ends or its window of rings is done. Lock time is returned as
    ``lane_lock_debt_ns`` of the lane.
    """
    lanes = np.flatnonzero(s.lane_in_callback)
    if not len(lanes):
        return length_ns
    view = _view(s, p, lanes)
    budget = length_ns[lanes] + s.lane_timer_credit_ns[lanes]
    done_ns, cost_of_entry = _visit_times(s, p, lanes, view)
    whole = (done_ns <= budget[:, None]) & view.exists
    count = whole.sum(1)
    spent = np.where(count > 0, np.take_along_axis(done_ns, np.maximum(count - 1, 0)[:, None], 1)[:, 0], 0.0)
    in_window = view.exists.sum(1)
    last_window = s.lane_ring_pos[lanes] + in_window >= p.active[lanes]
    idle_ns = _idle_rings_ns(s, p, lanes)
    all_done = (count == in_window) & last_window
    ends = all_done & (spent + idle_ns <= budget)
    moves_on = (count == in_window) & ~last_window
    partial = _partial(view, count, np.maximum(budget - spent, 0.0), cost_of_entry, ~all_done & ~moves_on)
    _free_drained(s, p, lanes, view, whole, partial)
    s.lane_ring_pos[lanes] += count
    spent = spent + np.where(ends, idle_ns, 0.0) + partial.sum(1) * 0.0
    spent_partial = _partial_ns(view, count, partial, cost_of_entry)
    used = np.clip(np.where(ends | moves_on, spent, budget), 0.0, None)
    taken = np.maximum(np.where(ends | moves_on, used - s.lane_timer_credit_ns[lanes], length_ns[lanes]), 0.0)
    s.lane_timer_credit_ns[lanes] = np.where(ends | moves_on, 0.0, budget - spent - spent_partial)
    out = length_ns.copy()
    out[lanes] = taken
    ended = np.zeros(p.lanes, bool)
    ended[lanes[ends]] = True
    s.lane_ring_pos[ended] = -1  # finished: the step closes the callback once the slice is over
    return out


def _view(s: State, p: Params, lanes: np.ndarray) -> Drain:
    pos = s.lane_ring_pos[lanes]
    cpu = pos[:, None] + np.arange(WINDOW)
    exists = cpu < p.active[lanes][:, None]
    rows = np.where(exists, p.first_row[lanes][:, None] + cpu, p.first_row[lanes][:, None])
    release(s, p, rows[exists])
    entries = s.row_ring_old[:, rows] * exists
    big = np.repeat(p.oversize[:, lanes], 2, axis=0)[:, :, None]
    host = s.lane_timer_row[lanes][:, None]
    local, remote = p.cost["lock_local_ns"][lanes][:, None], p.cost["lock_remote_ns"][lanes][:, None]
    lock_ns = np.where(s.row_ring_holder[rows] == host, local, remote)
    return Drain(rows, exists, entries * ~big, entries * big, lock_ns)


def _idle_rings_ns(s: State, p: Params, lanes: np.ndarray) -> np.ndarray:
    same = s.lane_last_timer_row[lanes] == s.lane_timer_row[lanes]
    each = np.where(same, p.cost["lock_local_ns"][lanes], p.cost["lock_remote_ns"][lanes])
    return (p.cpus - p.active)[lanes] * each


def _visit_times(s: State, p: Params, lanes: np.ndarray, view: Drain) -> tuple[np.ndarray, np.ndarray]:
    """Time at which each visit ends, from now (n, WINDOW), and the cost of one more entry there (n, WINDOW)."""
    c = p.cost
    entry = (c["fq_entry_remote_ns"] + c["lock_local_ns"])[lanes][:, None]
    size = p.magazine[lanes][:, None]
    handed = (c["magazine_slab_ns"] + c["lock_remote_ns"])[lanes][:, None] / size
    wait = s.lane_lock_wait_ns[lanes][:, None]
    overflow = (wait + c["magazine_slab_ns"][lanes][:, None]) / size + tree.free_one_ns(s, p, lanes, True)[:, None]
    lone = wait + c["iova_slab_ns"][lanes][:, None] + tree.free_one_ns(s, p, lanes, False)[:, None]
    room = depot.room(s.lane_depot, p)[:, lanes]
    host = s.lane_timer_row[lanes]
    total = np.cumsum(view.lock_ns * view.exists, axis=1)
    marginal = np.zeros_like(total) + entry
    for k in range(p.classes):
        kinds = slice(2 * k, 2 * k + 2)
        number = view.entries[kinds].sum(0)
        queued = np.cumsum(number, axis=1)
        own = 2 * size[:, 0] - s.row_loaded[kinds, host].sum(0) - s.row_prev[kinds, host].sum(0)
        spare = own + room[k] * size[:, 0]
        over = np.maximum(queued - spare[:, None], 0.0)
        pushed = np.maximum(queued - own[:, None], 0.0)
        big = np.cumsum(view.oversize[kinds].sum(0), axis=1)
        total += queued * entry + pushed * handed + over * overflow + big * (entry + lone)
        marginal += np.where(over > 0, overflow, 0.0) * (number > 0) + np.where(big > 0, lone, 0.0)
    return total, marginal


def _partial(view: Drain, count: np.ndarray, left_ns: np.ndarray, cost: np.ndarray, applies: np.ndarray) -> np.ndarray:
    """Entries freed of the ring the callback is in the middle of: (kinds, n)."""
    at = np.minimum(count, view.rows.shape[1] - 1)
    batch = np.take_along_axis(view.entries + view.oversize, at[None, :, None], 2)[:, :, 0]
    each = np.take_along_axis(cost, at[:, None], 1)[:, 0]
    number = np.where(applies, np.floor(left_ns / each), 0.0)
    return part_of(batch, np.minimum(number, batch.sum(0)), np.full(len(count), 0.5)).T


def _partial_ns(view: Drain, count: np.ndarray, partial: np.ndarray, cost: np.ndarray) -> np.ndarray:
    at = np.minimum(count, view.rows.shape[1] - 1)
    return partial.sum(1) * np.take_along_axis(cost, at[:, None], 1)[:, 0]


def _free_drained(s: State, p: Params, lanes: np.ndarray, view: Drain, whole: np.ndarray, partial: np.ndarray) -> None:
    taken = (view.entries + view.oversize) * whole
    at = np.minimum(whole.sum(1), WINDOW - 1)
    n = np.arange(len(lanes))
    taken[:, n, at] += partial.T
    hit = taken.sum(0) > 0
    s.row_ring_old[:, view.rows[hit]] -= taken[:, hit]
    s.row_ring_holder[view.rows[whole]] = np.repeat(s.lane_timer_row[lanes], whole.sum(1))
    total = taken.sum(2)
    s.count["drained_by_timer"][lanes] += total.sum(0)
    big = np.repeat(p.oversize[:, lanes], 2, axis=0)
    over = magazines.insert(s, p, s.lane_timer_row[lanes], total * ~big, stream=8)
    held = over * p.magazine * tree.free_one_ns(s, p, np.arange(p.lanes), True)
    lone = np.zeros_like(s.lane_depot_pfns)
    lone[:, lanes] = total * big
    held += lone.sum(0) * tree.free_one_ns(s, p, np.arange(p.lanes), False)
    tree.erase(s, p, lone)
    acquisitions = over + lone.sum(0)
    s.lane_lock_debt_ns += held + acquisitions * p.cost["lock_remote_ns"]
    s.count["held_ns"] += held
    s.count["acquisitions"] += acquisitions
    s.count["wait_ns"] += acquisitions * s.lane_lock_wait_ns


def close(s: State, p: Params) -> None:
    """Ends the callbacks whose last ring is done; runs the timer again where it is due already."""
    ended = s.lane_in_callback & (s.lane_ring_pos < 0)
    if not ended.any():
        return
    lanes = np.flatnonzero(ended)
    s.callbacks.append((s.lane_id[lanes], (s.lane_now_ns - s.lane_callback_start_ns)[lanes]))
    s.lane_last_timer_row = np.where(ended, s.lane_timer_row, s.lane_last_timer_row)
    s.lane_in_callback = s.lane_in_callback & ~ended
    chains = ended & (s.lane_timer_due_ns <= s.lane_now_ns)
    stay = np.where(ended, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)
    s.count["residency_max_ns"] = np.maximum(s.count["residency_max_ns"], stay)
    over = ended & ~chains & (stay >= 1e9)
    s.count["long_stays_ns"] += np.where(over, stay, 0.0)
    if chains.any():
        _start(s, p, chains)
