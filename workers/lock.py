"""iova_rbtree_lock shared by all CPUs of a lane: who is served in a slice, and how long a newcomer waits.

Each CPU has one request at a time (an allocation that missed the rcache, or the free of an oversize IOVA), so a
contended lock is a closed queueing network: it serves its waiters in rounds, one request each. A slice serves
as many requests as fit into its time; what does not fit stays pending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import by_lane, magazines, noise, tree
from workers.flush_queue import part_of
from workers.params import Params
from workers.state import STEP_STREAM, State

ROUNDS_OF_FILLING = 4
MOST_TURNS = 12
LEAST_ROUND = 0.1
SHORTEST_NS = 10_000.0
SMALLEST_TURN = 2.0


def fair_share(lane: np.ndarray, want: np.ndarray, served: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Splits ``served`` (lanes,) requests over rows that want ``want`` (n,): equal turns, nobody more than it wants."""
    lanes = len(served)
    total = by_lane.total(lane, want, lanes)
    waiting = by_lane.total(lane, (want > 0).astype(float), lanes)
    turns = np.where(served >= total, np.inf, served / np.maximum(waiting, 1.0))
    for _ in range(ROUNDS_OF_FILLING):
        content = want <= turns[lane]
        used = by_lane.total(lane, np.where(content, want, 0.0), lanes)
        hungry = by_lane.total(lane, (~content).astype(float), lanes)
        turns = np.where(hungry > 0, (served - used) / np.maximum(hungry, 1.0), np.inf)
    real = np.minimum(want, turns[lane])
    return np.minimum(round_running(lane, real, u, lanes), want)


def round_running(lane: np.ndarray, real: np.ndarray, u: np.ndarray, lanes: int) -> np.ndarray:
    """Whole numbers (n,) whose running sums within a lane follow those of ``real`` (n,); ``u`` (lanes,) offsets them."""
    starts = np.flatnonzero(np.diff(lane, prepend=-1))
    whole = np.zeros(len(real))
    if not len(real):
        return whole
    # scaled to integers, so that a lane's running sum does not depend on the lanes before it
    fixed = np.rint(real * 2.0**20).astype(np.int64)
    running = np.cumsum(fixed)
    base = np.zeros(lanes, np.int64)
    base[lane[starts]] = running[starts] - fixed[starts]
    end = running - base[lane] + np.rint(u[lane] * 2.0**20).astype(np.int64)
    return ((end >> 20) - ((end - fixed) >> 20)).astype(float)


def request_pfns(p: Params) -> np.ndarray:
    """Pfns one free request takes to the tree: an oversize IOVA, or a magazine the depot refused; (classes, lanes)."""
    return np.where(p.oversize, 1.0, p.magazine)


class Served(NamedTuple):
    """What the lock did for each lane in a slice, in requests; (classes, lanes), time (lanes,)."""

    frees: np.ndarray
    found: np.ndarray
    failed: np.ndarray
    held_ns: np.ndarray


def serve(
    s: State, p: Params, rows: np.ndarray, frees: np.ndarray, maps: np.ndarray, capacity_ns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Serves lock requests: ``frees`` (n,) oversize frees and ``maps`` (classes, n) missed maps of ``rows`` (n,).

    A CPU maps once its frees are done. Returns the frees done (n,), the IOVAs found (kinds, n), and the time after
    which a waiting callback gets the lock (lanes,), inf where none does.
    ``capacity_ns`` (lanes,) is the lock time to give.
    """
    lane = p.row_lane[rows]
    lanes = p.lanes
    pending = s.row_requests[:, rows]
    maps_lane = by_lane.total(lane, maps, lanes)
    frees_lane = by_lane.total(lane, pending, lanes)
    freeing = by_lane.total(lane, (frees > 0).astype(float), lanes)
    waiting = by_lane.total(lane, (frees + maps.sum(0) > 0).astype(float), lanes)
    most = np.where(s.lane_blocked, np.ceil(waiting * np.maximum(1.0 - s.lane_turns, LEAST_ROUND)), np.inf)
    done = _take_turns(s, p, frees_lane, maps_lane, freeing, waiting, capacity_ns, most.copy())
    u = noise.uniform(noise.key(p.seed, s.lane_steps * 64 + 40, STEP_STREAM))
    frees_done = _hand_out_frees(s, p, rows, lane, pending, frees_lane, done.frees, u)
    ready = maps * (frees_done == frees)
    tried = done.found + done.failed
    found = np.zeros((2 * p.classes, len(rows)))
    high = np.zeros_like(tried)
    failed = np.zeros((p.classes, len(rows)))
    low_first = p.dma32_first[lane]
    for k in range(p.classes):
        short = (by_lane.total(lane, ready[k], lanes) < tried[k])[lane]
        tries = fair_share(lane, np.where(short, maps[k], ready[k]), tried[k], u)
        got = by_lane.share_out(lane, tries, done.found[k], tried[k])
        found[2 * k] = got * low_first
        found[2 * k + 1] = got * ~low_first
        failed[k] = tries - got
    # a failed 32-bit attempt tries again without the limit: the caches' high pfns first
    popped = magazines.get(s, p, rows, failed, stream=44, limit_4g=False)
    found += popped
    for k in range(p.classes):
        rest = failed[k] - popped[2 * k] - popped[2 * k + 1]
        found[2 * k + 1] += rest
        high[k] = by_lane.total(lane, rest, lanes)
    held = done.held_ns
    some = np.flatnonzero(high.sum(0))
    if len(some):
        held[some] += tree.place_high(s, p, some, high[:, some])
    given = done.frees.sum(0) + tried.sum(0) + high.sum(0)
    saturated = done.frees.sum(0) + tried.sum(0) < frees_lane.sum(0) + maps_lane.sum(0)
    handover, remote = p.cost["lock_handover_ns"], p.cost["lock_remote_ns"]
    busy_ns = held + given * np.where(saturated, handover, 0.0)
    s.lane_contended = saturated
    turns = np.minimum(s.lane_turns, 1.0) + given / np.maximum(waiting, 1.0)
    s.lane_turns = np.where(saturated, turns, np.maximum(turns, 0.0))
    s.lane_lock_debt_ns += busy_ns
    s.lane_request_ns = np.where(given > 0, held / np.maximum(given, 1.0), s.lane_request_ns)
    s.lane_lock_wait_ns = np.where(saturated, waiting * (s.lane_request_ns + handover), remote)
    s.count["acquisitions"] += given
    s.count["held_ns"] += held
    s.count["wait_ns"] += given * s.lane_lock_wait_ns
    served_all = done.frees.sum(0) + tried.sum(0) >= most
    turn_ns = np.where(s.lane_blocked & served_all, np.maximum(s.lane_lock_debt_ns, SHORTEST_NS), np.inf)
    return frees_done, found, turn_ns


def _take_turns(
    s: State,
    p: Params,
    frees: np.ndarray,
    maps: np.ndarray,
    freeing: np.ndarray,
    waiting: np.ndarray,
    capacity_ns: np.ndarray,
    most: np.ndarray,
) -> Served:
    """Interleaves frees and attempts, a few at a time, until all are done or the time is used up.

    ``most`` (lanes,) requests are served: where the callback waits for its turn, up to that. One free can end a search that many attempts would have paid for, so turns are small where holes are few.
    """
    lanes = p.lanes
    done = Served(np.zeros_like(frees), np.zeros_like(maps), np.zeros_like(maps), np.zeros(lanes))
    left_frees, left_maps = frees.copy(), maps.copy()
    left_ns = capacity_ns.copy()
    handover = p.cost["lock_handover_ns"]
    for turn in range(MOST_TURNS):
        todo = np.minimum(left_frees.sum(0) + left_maps.sum(0), most)
        go = np.flatnonzero((todo > 0) & (left_ns > 0))
        if not len(go):
            break
        mixed = (left_frees[:, go].sum(0) > 0) & (turn < MOST_TURNS - 1)
        size = _turn_size(s, p, go, todo[go], left_ns[go], mixed)
        share = np.where(left_maps[:, go].sum(0) > 0, freeing[go] / np.maximum(waiting[go], 1.0), 1.0)
        u = noise.uniform(noise.key(p.seed[go], s.lane_steps[go] * 64 + turn, STEP_STREAM + 3))
        some_frees = np.minimum(np.floor(size * share + u), left_frees[:, go].sum(0))
        some_maps = np.minimum(size - some_frees, left_maps[:, go].sum(0))
        f = part_of(left_frees[:, go], some_frees, u)
        pfns = _pfns_of(s, p, go, f, left_frees[:, go])
        a = part_of(left_maps[:, go], some_maps, u)
        did = tree.turn(s, p, go, pfns, a, u)
        cost = did.held_ns
        done.frees[:, go] += f
        done.found[:, go] += did.found
        done.failed[:, go] += a - did.found
        done.held_ns[go] += cost
        most[go] -= size
        left_frees[:, go] -= f
        left_maps[:, go] -= a
        left_ns[go] -= cost + size * handover[go]
        s.lane_request_ns[go] = cost / size
    return done


def _turn_size(
    s: State, p: Params, go: np.ndarray, todo: np.ndarray, left_ns: np.ndarray, mixed: np.ndarray
) -> np.ndarray:
    """Requests of the next turn (n,): what the time left allows; few where frees and attempts meet few holes."""
    fits = np.ceil(left_ns / (s.lane_request_ns[go] + p.cost["lock_handover_ns"][go]))
    holes = s.lane_holes[0][:, go].sum((0, 2)) + s.lane_holes[1][:, go].sum((0, 2))
    gentle = np.where(mixed, np.floor(SMALLEST_TURN + holes / 4.0), np.inf)
    return np.maximum(np.minimum(np.minimum(fits, todo), gentle), 1.0)


def _pfns_of(s: State, p: Params, go: np.ndarray, frees: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Takes the pfns (kinds, n) of ``frees`` (classes, n) requests out of what is pending, low and high in proportion."""
    pfns = frees * request_pfns(p)[:, go]
    low, high = s.lane_pending[0::2, go], s.lane_pending[1::2, go]
    some = np.clip(np.rint(low * frees / np.maximum(left, 1.0)), pfns - high, np.minimum(pfns, low))
    out = np.stack((some, pfns - some), axis=1).reshape(2 * p.classes, -1)
    s.lane_pending[:, go] -= out
    return out


def _hand_out_frees(
    s: State,
    p: Params,
    rows: np.ndarray,
    lane: np.ndarray,
    pending: np.ndarray,
    frees_lane: np.ndarray,
    done: np.ndarray,
    u: np.ndarray,
) -> np.ndarray:
    """Credits the lane's frees to the CPUs waiting for them, kind by kind: frees done (n,)."""
    total = np.zeros(len(rows))
    for kind in range(len(pending)):
        if frees_lane[kind].any():
            given = fair_share(lane, pending[kind], done[kind], u)
            s.row_requests[kind, rows] -= given
            total += given
    return total
