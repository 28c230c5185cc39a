"""The flush-queue timer: arming, the callback that drains every ring, and the chain that never leaves the softirq.

Source: drivers/iommu/iova.c (5.15), fq_flush_timeout(); kernel/time/timer.c, __mod_timer(), __run_timers().
The timer is armed by the first unmap after a callback began, fires timer_jiffies ticks later on the CPU that
armed it, or on the CPU whose callback is running. Due before its callback ends, it runs again at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.slices import magazines, tree
from workers.slices.flush_queue import part_of
from workers.slices.noise import Stream
from workers.slices.params import SHORTEST_OP_NS, Params
from workers.slices.state import NEVER, State

WINDOW = 128
FINISHED = -1
NEAR_CHAIN = 0.4
"""Share of the re-arm period from which on a stay in the softirq is one that may chain."""


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
    s.lane_ring_since_ns = np.where(due, s.lane_now_ns + p.cost["iotlb_flush_ns"], s.lane_ring_since_ns)
    s.lane_timer_credit_ns = np.where(due, -p.cost["iotlb_flush_ns"], s.lane_timer_credit_ns)
    s.lane_epoch = s.lane_epoch + due
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

    A slice ends early where a callback ends or its window of rings is done. A contended lock serves the callback
    once for every round of the waiting CPUs (``lane_turns``), whatever time there is.
    """
    s.lane_blocked = np.zeros(p.lanes, bool)
    lanes = np.flatnonzero(s.lane_in_callback)
    if not len(lanes):
        return length_ns
    view = _left_to_it(s, p, lanes, _view(s, p, lanes))
    n = np.arange(len(lanes))
    budget = length_ns[lanes] + s.lane_timer_credit_ns[lanes]
    done_ns, entry_ns, requests = _visits(s, p, lanes, view)
    turns = np.where(s.lane_contended[lanes], s.lane_turns[lanes], np.inf)
    whole = (done_ns <= budget[:, None]) & (requests <= turns[:, None]) & view.exists
    count = whole.sum(1)
    before = np.maximum(count - 1, 0)
    spent = np.where(count > 0, done_ns[n, before], 0.0)
    asked = np.where(count > 0, requests[n, before], 0.0)
    last_window = s.lane_ring_pos[lanes] + view.exists.sum(1) >= p.active[lanes]
    idle_ns = _idle_rings_ns(s, p, lanes)
    all_done = count == view.exists.sum(1)
    ends = all_done & last_window & (spent + idle_ns <= budget)
    moves_on = all_done & ~last_window
    at = np.minimum(count, WINDOW - 1)
    batch = (view.entries + view.oversize)[:, n, at] * ~all_done
    fits = np.floor(np.maximum(budget - spent, 0.0) / np.maximum(entry_ns[n, at], SHORTEST_OP_NS))
    ask = np.maximum(requests[n, at] - asked, 0.0)
    granted = np.minimum(np.maximum(turns - asked, 0.0), ask)
    allowed = np.where(ask > 0, np.floor(batch.sum(0) * granted / np.maximum(ask, 1e-9)), np.inf)
    partial = part_of(batch, np.minimum(np.minimum(fits, allowed), batch.sum(0)), np.full(len(lanes), 0.5))
    _free_drained(s, p, lanes, view, whole, partial)
    _time_rings(s, lanes, done_ns, count, s.lane_timer_credit_ns[lanes])
    s.lane_ring_pos[lanes] += count
    early = ends | moves_on
    s.lane_blocked[lanes] = ~all_done & (requests[n, at] > turns)
    spent = spent + np.where(ends, idle_ns, 0.0)
    left = budget - spent - partial.sum(0) * entry_ns[n, at]
    out = length_ns.copy()
    out[lanes] = np.where(early, np.maximum(spent - s.lane_timer_credit_ns[lanes], 0.0), length_ns[lanes])
    s.lane_timer_credit_ns[lanes] = np.where(early, 0.0, np.minimum(left, np.maximum(entry_ns[n, at], idle_ns)))
    s.lane_ring_pos[lanes[ends]] = FINISHED
    return out


def _time_rings(s: State, lanes: np.ndarray, done_ns: np.ndarray, count: np.ndarray, credit_ns: np.ndarray) -> None:
    """Keeps the longest time under one ring's lock, interrupts off; a ring may take many slices."""
    n = np.arange(len(lanes))
    some = count > 0
    began = s.lane_now_ns[lanes] - credit_ns
    first = np.where(some, began + done_ns[:, 0] - s.lane_ring_since_ns[lanes], 0.0)
    others = np.where(np.arange(1, WINDOW) < count[:, None], np.diff(done_ns, axis=1), 0.0).max(1)
    longest = np.maximum(first, others)
    s.count["irqs_off_max_ns"][lanes] = np.maximum(s.count["irqs_off_max_ns"][lanes], longest)
    reached = began + done_ns[n, np.maximum(count - 1, 0)]
    s.lane_ring_since_ns[lanes] = np.where(some, reached, s.lane_ring_since_ns[lanes])


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


def _left_to_it(s: State, p: Params, lanes: np.ndarray, view: Drain) -> Drain:
    """The view without what CPUs free themselves: those whose burst comes before the callback gets to them."""
    may_come = ~s.row_busy[view.rows] & (view.rows != s.lane_timer_row[lanes][:, None])
    may_come[:, 0] = False  # it may be in this ring already
    # a CPU frees oversize IOVAs one by one, its ring locked: the callback waits as long as if it did so itself
    may_come &= ~p.oversize[:, lanes, None].any(0)
    next_ns, left = s.row_next_ns[view.rows] - s.lane_now_ns[lanes][:, None], view
    for _ in range(2):  # what it does not find does not take it any time
        ended_ns = _visits(s, p, lanes, left)[0]
        stay = ~may_come | (next_ns >= np.concatenate((np.zeros_like(ended_ns[:, :1]), ended_ns[:, :-1]), axis=1))
        left = view._replace(entries=view.entries * stay, oversize=view.oversize * stay)
    return left


def _idle_rings_ns(s: State, p: Params, lanes: np.ndarray) -> np.ndarray:
    same = s.lane_last_timer_row[lanes] == s.lane_timer_row[lanes]
    each = np.where(same, p.cost["lock_local_ns"][lanes], p.cost["lock_remote_ns"][lanes])
    return (p.cpus - p.active)[lanes] * each


def _visits(s: State, p: Params, lanes: np.ndarray, view: Drain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When each visit ends, from now, the cost of an entry there, and lock requests up to its end: (n, WINDOW) each."""
    c = p.cost
    entry = (c["fq_entry_remote_ns"] + c["lock_local_ns"])[lanes][:, None]
    size = p.magazine[lanes][:, None]
    handed = (c["magazine_slab_ns"] + c["lock_remote_ns"])[lanes][:, None] / size
    wait = c["lock_remote_ns"][lanes][:, None]
    overflow = (wait + c["magazine_slab_ns"][lanes][:, None]) / size + tree.free_one_ns(s, p, lanes, True)[:, None]
    lone = wait + c["iova_slab_ns"][lanes][:, None] + tree.free_one_ns(s, p, lanes, False)[:, None]
    room = magazines.room_in_slice(s, p)[:, lanes]
    host = s.lane_timer_row[lanes]
    total = np.cumsum(view.lock_ns * view.exists, axis=1)
    requests = np.zeros_like(total)
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
        requests += over / size + big
        marginal += np.where(over > 0, overflow, 0.0) * (number > 0) + np.where(big > 0, lone, 0.0)
    return total, marginal, requests


def _free_drained(s: State, p: Params, lanes: np.ndarray, view: Drain, whole: np.ndarray, partial: np.ndarray) -> None:
    taken = (view.entries + view.oversize) * whole
    at = np.minimum(whole.sum(1), WINDOW - 1)
    n = np.arange(len(lanes))
    taken[:, n, at] += partial
    hit = taken.sum(0) > 0
    s.row_ring_old[:, view.rows[hit]] -= taken[:, hit]
    s.row_ring_holder[view.rows[whole]] = np.repeat(s.lane_timer_row[lanes], whole.sum(1))
    total = taken.sum(2)
    s.count["drained_by_timer"][lanes] += total.sum(0)
    big = np.repeat(p.oversize[:, lanes], 2, axis=0)
    over = np.zeros_like(s.lane_depot_pfns)
    over[:, lanes] = magazines.insert(s, p, s.lane_timer_row[lanes], total * ~big, stream=Stream.DRAINED)
    lone = np.zeros_like(over)
    lone[:, lanes] = total * big
    everywhere = np.arange(p.lanes)
    held = over.sum(0) * tree.free_one_ns(s, p, everywhere, True)
    held += lone.sum(0) * tree.free_one_ns(s, p, everywhere, False)
    tree.erase(s, p, over + lone)
    requests = over.sum(0) / p.magazine + lone.sum(0)
    s.lane_turns = s.lane_turns - requests
    s.lane_lock_debt_ns += held + requests * np.where(s.lane_contended, p.cost["lock_handover_ns"], 0.0)
    s.count["held_ns"] += held
    s.count["acquisitions"] += requests
    s.count["wait_ns"] += requests * s.lane_lock_wait_ns


def longest_stay_ns(s: State) -> np.ndarray:
    """Longest stay in the softirq so far, one that goes on included (lanes,)."""
    going_on_ns = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)
    return np.maximum(s.count["residency_max_ns"], going_on_ns)


def near_chain(s: State, p: Params) -> np.ndarray:
    """Lanes (lanes,) that slices may be too coarse for after all (workers.delicate)."""
    return longest_stay_ns(s) >= NEAR_CHAIN * p.timer_jiffies * p.tick_ns


def close(s: State, p: Params) -> None:
    """Ends the callbacks whose last ring is done; runs the timer again where it is due already."""
    ended = s.lane_in_callback & (s.lane_ring_pos == FINISHED)
    if not ended.any():
        return
    lanes = np.flatnonzero(ended)
    took_ns = np.where(ended, s.lane_now_ns - s.lane_callback_start_ns, 0.0)
    s.callbacks.append((s.lane_id[lanes], took_ns[lanes], s.lane_now_ns[lanes]))
    s.count["callbacks"] += ended
    s.count["callback_ns"] += took_ns
    s.lane_last_timer_row = np.where(ended, s.lane_timer_row, s.lane_last_timer_row)
    s.lane_in_callback = s.lane_in_callback & ~ended
    chains = ended & (s.lane_timer_due_ns <= s.lane_now_ns)
    stay = np.where(ended, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)
    s.count["residency_max_ns"] = np.maximum(s.count["residency_max_ns"], stay)
    over = np.flatnonzero(ended & ~chains & (stay >= p.timer_jiffies * p.tick_ns))
    s.stays.append((s.lane_id[over], stay[over], s.lane_now_ns[over]))
    if chains.any():
        _start(s, p, chains)
