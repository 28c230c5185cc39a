"""Between CPUs, depot and tree: freed IOVAs into the caches, overflow to the tree, depot magazines to the CPUs.

Source: drivers/iommu/iova.c, __iova_rcache_insert(), __iova_rcache_get(), iova_depot_work_func() (6.12).
"""

from __future__ import annotations

import numpy as np

from workers import by_lane, depot, noise, rcache, tree
from workers.params import Params
from workers.state import NEVER, STEP_STREAM, State


def draw(s: State, p: Params, rows: np.ndarray, stream: int) -> np.ndarray:
    """A uniform number for each of ``rows`` (n,) in this step of their lane."""
    lane = p.row_lane[rows]
    keys = noise.key(p.seed[lane], s.lane_steps[lane] * 64 + stream, STEP_STREAM)
    return noise.uniform(noise.mix(keys + p.row_cpu[rows].astype(np.uint64)))


def insert(s: State, p: Params, rows: np.ndarray, freed: np.ndarray, stream: int) -> np.ndarray:
    """Frees ``freed`` (kinds, n) into the caches of ``rows`` (n,), each row once; magazines over (lanes,).

    Magazines the depot has no room for are freed to the tree; their lock hold is left to the caller.
    Oversize kinds must be 0.
    """
    lane = p.row_lane[rows]
    over = np.zeros(p.lanes)
    for k in range(p.classes):
        pick = np.flatnonzero(freed[2 * k] + freed[2 * k + 1])
        if not len(pick):
            continue
        r, kinds = rows[pick], slice(2 * k, 2 * k + 2)
        done = rcache.insert(
            s.row_loaded[kinds, r], s.row_prev[kinds, r], freed[kinds, pick], p.magazine[lane[pick]],
            draw(s, p, r, stream + k),
        )  # fmt: skip
        s.row_loaded[kinds, r], s.row_prev[kinds, r] = done.loaded, done.prev
        if done.pushed.any():
            over += _push(s, p, k, lane[pick], done)
    return over


def _push(s: State, p: Params, k: int, lane: np.ndarray, done: rcache.Inserted) -> np.ndarray:
    pushed = by_lane.total(lane, done.pushed, p.lanes)
    pfns = by_lane.total(lane, done.pushed_pfns, p.lanes)
    accepted = np.minimum(pushed, depot.room(s.lane_depot, p)[k])
    over = pushed - accepted
    kinds = slice(2 * k, 2 * k + 2)
    over_low = np.rint(pfns[0] * over / np.maximum(pushed, 1.0))
    freed = np.zeros_like(s.lane_depot_pfns)
    freed[2 * k], freed[2 * k + 1] = over_low, over * p.magazine - over_low
    s.lane_depot[k] += accepted
    s.lane_depot_pfns[kinds] += pfns - freed[kinds]
    arms = p.is_list & (accepted > 0) & (p.trim_period_ns > 0) & (s.lane_work_due_ns[k] == NEVER)
    s.lane_work_due_ns[k] = np.where(arms, s.lane_now_ns + p.trim_period_ns, s.lane_work_due_ns[k])
    tree.erase(s, p, freed)
    return over


def get(
    s: State, p: Params, rows: np.ndarray, want: np.ndarray, stream: int, limit_4g: bool = True
) -> np.ndarray:
    """Up to ``want`` (classes, n) IOVAs from the caches of ``rows`` and, once those are empty, the depot: (kinds, n).

    ``limit_4g``: where the lane tries 32 bits first, only pfns below 4 GiB will do.
    """
    lane = p.row_lane[rows]
    taken = np.zeros((2 * p.classes, len(rows)))
    for k in range(p.classes):
        pick = np.flatnonzero((want[k] > 0) & ~p.oversize[k, lane])
        if not len(pick):
            continue
        r, kinds, ln = rows[pick], slice(2 * k, 2 * k + 2), lane[pick]
        low_only = p.dma32_first[ln] & limit_4g
        u = draw(s, p, r, stream + k)
        own = rcache.get(s.row_loaded[kinds, r], s.row_prev[kinds, r], want[k, pick], low_only, u)
        rest = want[k, pick] - own.taken.sum(0)
        mixed = low_only & (s.lane_depot_pfns[2 * k + 1, ln] > 0)
        asked = rcache.magazines_wanted(own.loaded, own.prev, rest, p.magazine[ln], mixed)
        loaded, more = own.loaded, 0.0
        if asked.any():
            given = _pull(s, p, k, ln, asked)
            again = rcache.get(given, np.zeros_like(given), np.where(asked > 0, rest, 0.0), low_only, u)
            loaded = np.where(asked > 0, again.loaded, own.loaded)
            more = again.taken
        s.row_loaded[kinds, r], s.row_prev[kinds, r] = loaded, own.prev
        taken[kinds, pick] = own.taken + more
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


def work(s: State, p: Params, until_ns: np.ndarray) -> np.ndarray:
    """Runs the depot work due by ``until_ns`` (lanes,); lock hold in ns (lanes,)."""
    held = np.zeros(p.lanes)
    for k in range(p.classes):
        due = s.lane_work_due_ns[k] <= until_ns
        if not due.any():
            continue
        trimmed = np.where(due, np.minimum(depot.surplus(s.lane_depot, p)[k], p.trim_magazines), 0.0)
        freed = np.zeros_like(s.lane_depot_pfns)
        pfns = trimmed * p.magazine
        freed[2 * k] = np.rint(trimmed * s.lane_depot_pfns[2 * k] / np.maximum(s.lane_depot[k], 1.0))
        freed[2 * k + 1] = pfns - freed[2 * k]
        held += pfns * tree.free_one_ns(s, p, np.arange(p.lanes), in_magazine=True)
        tree.erase(s, p, freed)
        s.lane_depot[k] -= trimmed
        s.lane_depot_pfns -= freed
        s.count["acquisitions"] += trimmed
        again = np.where(trimmed > 0, s.lane_work_due_ns[k] + p.trim_period_ns, NEVER)
        s.lane_work_due_ns[k] = np.where(due, again, s.lane_work_due_ns[k])
    return held
