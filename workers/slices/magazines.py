"""Between CPUs, depot and tree: freed IOVAs into the caches, overflow to the tree, depot magazines to the CPUs.

Source: drivers/iommu/iova.c, __iova_rcache_insert(), __iova_rcache_get(), iova_depot_work_func() (6.12).
"""

from __future__ import annotations

import numpy as np

from workers.slices import by_lane, depot, noise, rcache, tree
from workers.slices.noise import Stream
from workers.slices.params import Params
from workers.slices.state import NEVER, State


def draw(s: State, p: Params, rows: np.ndarray, stream: Stream, size_class: int) -> np.ndarray:
    """A uniform number for each of ``rows`` (n,) in this step of their lane."""
    lane = p.row_lane[rows]
    return noise.uniform(noise.row_key(p.seed[lane], s.lane_steps[lane], stream, p.row_cpu[rows], size_class))


def foresee(s: State, p: Params, rows: np.ndarray) -> None:
    """Sets the magazines (classes, lanes) that ``rows`` (n,), the CPUs at work in the slice, will take from the depot.

    While the timer fills the depot others empty it; a slice does one after the other, so what they will take
    counts as room; but where the lock is contended they wait for it and fetch nothing. ``settle`` corrects the rest.
    """
    matters = s.lane_in_callback & ~p.is_list & ~s.lane_contended
    rows = rows[matters[p.row_lane[rows]]]
    lane = p.row_lane[rows]
    demand = np.zeros((p.classes, p.lanes))
    for k in range(p.classes):
        kinds = slice(2 * k, 2 * k + 2)
        coming = p.burst[lane] * p.weight[k, lane]
        want = np.where(s.row_busy[rows], s.row_maps_left[k, rows], coming)
        held = s.row_loaded[kinds, rows] + s.row_prev[kinds, rows]
        freed = np.where(s.row_busy[rows], 0.0, rcache.size_of(s.row_ring_old[kinds, rows]))
        stuck = (held[rcache.HIGH] > 0) & p.dma32_first[lane]
        short = np.maximum(want - rcache.size_of(held) - freed, 0.0) * ~(p.oversize[k, lane] | stuck)
        demand[k] = by_lane.total(lane, np.ceil(short / p.magazine[lane]), p.lanes)
    s.lane_demand = demand


def room_in_slice(s: State, p: Params) -> np.ndarray:
    """Magazines (classes, lanes) each bin accepts in this slice, others emptying it meanwhile."""
    return depot.room(s.lane_depot - s.lane_demand, p)


def settle(s: State, p: Params) -> None:
    """Frees to the tree what the depot took in the slice and nobody fetched; the callback owes the lock those turns."""
    s.lane_demand = np.zeros_like(s.lane_demand)
    for k in range(p.classes):
        over = np.where(p.is_list, 0.0, np.maximum(s.lane_depot[k] - p.capacity, 0.0))
        if over.any():
            _depot_to_tree(s, p, k, over)
            s.lane_turns = s.lane_turns - over


def _depot_to_tree(s: State, p: Params, k: int, magazines: np.ndarray) -> None:
    """Frees ``magazines`` (lanes,) of class ``k``'s depots to the tree, low and high pfns as they are on average."""
    pfns = magazines * p.magazine
    freed = np.zeros_like(s.lane_depot_pfns)
    freed[2 * k] = np.rint(magazines * s.lane_depot_pfns[2 * k] / np.maximum(s.lane_depot[k], 1.0))
    freed[2 * k + 1] = pfns - freed[2 * k]
    held = pfns * tree.free_one_ns(s, p, np.arange(p.lanes), in_magazine=True)
    tree.erase(s, p, freed)
    s.lane_depot[k] -= magazines
    s.lane_cached[k] -= pfns
    s.lane_depot_pfns -= freed
    s.lane_lock_debt_ns += held
    s.count["held_ns"] += held
    s.count["acquisitions"] += magazines


def insert(s: State, p: Params, rows: np.ndarray, freed: np.ndarray, stream: Stream) -> np.ndarray:
    """Frees ``freed`` (kinds, n) into the caches of ``rows`` (n,), each row once.

    Returns the pfns (kinds, n) of whole magazines the depot has no room for: they go to the tree, under the lock.
    Oversize kinds must be 0.
    """
    lane = p.row_lane[rows]
    over = np.zeros_like(freed)
    for k in range(p.classes):
        kinds = slice(2 * k, 2 * k + 2)
        number = rcache.size_of(freed[kinds])
        fits = number <= p.magazine[lane] - rcache.size_of(s.row_loaded[kinds, rows])
        s.row_loaded[kinds, rows] += freed[kinds] * fits
        pick = np.flatnonzero(~fits)
        if not len(pick):
            continue
        r, u = rows[pick], draw(s, p, rows[pick], stream, k)
        done = rcache.insert(
            s.row_loaded[kinds, r], s.row_prev[kinds, r], freed[kinds, pick], p.magazine[lane[pick]], u
        )
        s.row_loaded[kinds, r], s.row_prev[kinds, r] = done.loaded, done.prev
        if done.pushed.any():
            over[kinds, pick] = _push(s, p, k, lane[pick], done)
    s.lane_cached += by_lane.total(lane, (freed - over)[0::2] + (freed - over)[1::2], p.lanes)
    return over


def _push(s: State, p: Params, k: int, lane: np.ndarray, done: rcache.Inserted) -> np.ndarray:
    """Hands full magazines to the depot, in CPU order while it has room; pfns (2, n) of those it has not."""
    room = room_in_slice(s, p)[k]
    accepted = np.clip(room[lane] - by_lane.before(lane, done.pushed, p.lanes), 0.0, done.pushed)
    refused = done.pushed - accepted
    size = rcache.size_of(done.pushed_pfns)
    low = np.rint(done.pushed_pfns[0] * refused / np.maximum(done.pushed, 1.0))
    low = np.clip(low, refused * p.magazine[lane] - done.pushed_pfns[1], done.pushed_pfns[0])
    over = np.stack((low, np.where(refused > 0, refused * p.magazine[lane], 0.0) - low))
    over = np.where(size > 0, over, 0.0)
    taken = by_lane.total(lane, accepted, p.lanes)
    s.lane_depot[k] += taken
    s.lane_depot_pfns[2 * k : 2 * k + 2] += by_lane.total(lane, done.pushed_pfns - over, p.lanes)
    arms = p.trims & (taken > 0) & (s.lane_work_due_ns[k] == NEVER)
    s.lane_work_due_ns[k] = np.where(arms, s.lane_now_ns + p.trim_period_ns, s.lane_work_due_ns[k])
    return over


def get(
    s: State, p: Params, rows: np.ndarray, want: np.ndarray, stream: Stream, limit_4g: bool = True
) -> np.ndarray:
    """Up to ``want`` (classes, n) IOVAs from the caches of ``rows`` and, once those are empty, the depot: (kinds, n).

    ``limit_4g``: where the lane tries 32 bits first, only pfns below 4 GiB will do.
    """
    lane = p.row_lane[rows]
    taken = np.zeros((2 * p.classes, len(rows)))
    for k in range(p.classes):
        kinds, low_only = slice(2 * k, 2 * k + 2), p.dma32_first[lane] & limit_4g
        loaded = s.row_loaded[kinds, rows]
        cached = want[k] * ~p.oversize[k, lane]
        quick = rcache.at_hand(loaded, cached, low_only)
        taken[kinds] = quick
        s.row_loaded[kinds, rows] = loaded - quick
        stuck = low_only & (loaded[0] == 0) & (loaded[1] > 0)
        pick = np.flatnonzero((cached > rcache.size_of(quick)) & ~stuck)
        if not len(pick):
            continue
        r, ln, low_only = rows[pick], lane[pick], low_only[pick]
        u = draw(s, p, r, stream, k)
        own = rcache.get(s.row_loaded[kinds, r], s.row_prev[kinds, r], want[k, pick], low_only, u)
        rest = want[k, pick] - own.taken.sum(0)
        mixed = low_only & (s.lane_depot_pfns[2 * k + 1, ln] > 0)
        asked = rcache.magazines_wanted(own.loaded, own.prev, rest, p.magazine[ln], mixed)
        loaded, more = own.loaded, np.zeros_like(own.taken)
        if asked.any():
            given = _pull(s, p, k, ln, asked)
            again = rcache.get(given, np.zeros_like(given), np.where(asked > 0, rest, 0.0), low_only, u)
            loaded = np.where(asked > 0, again.loaded, own.loaded)
            more = again.taken
        s.row_loaded[kinds, r], s.row_prev[kinds, r] = loaded, own.prev
        taken[kinds, pick] = own.taken + more
    s.lane_cached -= by_lane.total(lane, taken[0::2] + taken[1::2], p.lanes)
    return taken


def _pull(s: State, p: Params, k: int, lane: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Hands out depot magazines, in CPU order while they last: pfns (2, n)."""
    have = s.lane_depot[k][lane]
    given = np.clip(have - by_lane.before(lane, asked, p.lanes), 0.0, asked)
    given_lane = by_lane.total(lane, given, p.lanes)
    pfns = given * p.magazine[lane]
    share = np.rint(given_lane * s.lane_depot_pfns[2 * k] / np.maximum(s.lane_depot[k], 1.0))
    low = by_lane.share_out(lane, pfns, share, given_lane * p.magazine)
    s.lane_depot[k] -= given_lane
    s.lane_depot_pfns[2 * k] -= share
    s.lane_depot_pfns[2 * k + 1] -= given_lane * p.magazine - share
    return np.stack((low, pfns - low))


def work(s: State, p: Params, until_ns: np.ndarray) -> None:
    """Runs the depot work due by ``until_ns`` (lanes,)."""
    for k in range(p.classes):
        due = s.lane_work_due_ns[k] <= until_ns
        if not due.any():
            continue
        trimmed = np.where(due, np.minimum(depot.surplus(s.lane_depot, p)[k], p.trim_magazines), 0.0)
        _depot_to_tree(s, p, k, trimmed)
        again = np.where(trimmed > 0, s.lane_work_due_ns[k] + p.trim_period_ns, NEVER)
        s.lane_work_due_ns[k] = np.where(due, again, s.lane_work_due_ns[k])
