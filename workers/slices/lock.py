"""iova_rbtree_lock shared by all CPUs of a lane: who is served in a slice, and how long a newcomer waits.

Each CPU has one request at a time (an allocation that missed the rcache, or the free of an oversize IOVA), so a
contended lock is a closed queueing network: it serves its waiters in rounds, one request each. A slice serves
as many requests as fit into its time; what does not fit stays pending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.slices import by_lane, magazines, noise, tree
from workers.slices.flush_queue import part_of
from workers.slices.noise import Stream
from workers.slices.params import SHORTEST_OP_NS, Params
from workers.slices.state import State

ROUNDS_OF_FILLING = 4
"""Passes in which those who want less than an equal share leave the rest to the others."""

MOST_TURNS = 6
"""Turns of a slice in which frees and attempts alternate; the last one takes all that is left."""

LEAST_ROUND = 0.1
"""Share of a round of the waiting CPUs that is served before a callback that waits gets its turn, at least."""

SINGLES_NS = 250_000.0
"""The same as a time, where a turn frees one IOVA and not a magazine: several pass within one slice."""

SHORTEST_NS = 10_000.0
"""Shortest slice that a callback's turn may end."""

SMALLEST_TURN = 2.0
"""Requests of a turn, at least, where frees and attempts meet few holes."""


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
    """Whole numbers (n,) whose running sums in a lane follow those of ``real`` (n,); ``u`` (lanes,) offsets them."""
    starts = np.flatnonzero(np.diff(lane, prepend=-1))
    whole = np.zeros(len(real))
    if not len(real):
        return whole
    # in fixed point, so that a lane's running sum does not depend on the lanes before it; the offset keeps clear of
    # the ends, where the rounding of each row could lose or add a whole one
    fixed = np.rint(real * 2.0**20).astype(np.int64)
    slack = np.bincount(lane, minlength=lanes)
    running = np.cumsum(fixed)
    base = np.zeros(lanes, np.int64)
    base[lane[starts]] = running[starts] - fixed[starts]
    end = running - base[lane] + np.rint((slack + u * (2.0**20 - 2 * slack))[lane]).astype(np.int64)
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
    """Serves lock requests: ``frees`` (n,), of oversize IOVAs or of magazines that the depot refused, and ``maps``
    (classes, n), missed ones, of ``rows`` (n,).

    A CPU maps once its frees are done. Returns the IOVAs found (kinds, n), the maps that failed for good
    (classes, n), and the time after which a waiting callback gets the lock (lanes,), inf where none does.
    ``capacity_ns`` (lanes,) is the lock time to give.
    """
    lane = p.row_lane[rows]
    pending = s.row_requests[:, rows]
    asked_maps = by_lane.total(lane, maps, p.lanes)
    asked_frees = by_lane.total(lane, pending, p.lanes)
    freeing = by_lane.total(lane, (frees > 0).astype(float), p.lanes)
    waiting = by_lane.total(lane, (frees + maps.sum(0) > 0).astype(float), p.lanes)
    most = _most(s, p, waiting)
    done = _take_turns(s, p, asked_frees, asked_maps, freeing, waiting, capacity_ns, most.copy())
    u = noise.uniform(noise.key(p.seed, s.lane_steps, Stream.LOCK_SHARES))
    frees_done = _hand_out_frees(s, rows, lane, pending, asked_frees, done.frees, u)
    found, failed = _hand_out_maps(p, lane, maps, frees_done == frees, done, u)
    high, failures = _without_limit(s, p, rows, lane, found, failed)
    served = done.frees.sum(0) + done.found.sum(0) + done.failed.sum(0)
    left = served < asked_frees.sum(0) + asked_maps.sum(0)
    _account(s, p, served + high.sum(0), done.held_ns, waiting, left)
    s.count["failures"] += failures.sum(0)
    turn_ns = np.where(s.lane_blocked & (served >= most), np.maximum(s.lane_lock_debt_ns, SHORTEST_NS), np.inf)
    return found, failed, turn_ns


def _most(s: State, p: Params, waiting: np.ndarray) -> np.ndarray:
    """Requests (lanes,) to serve before a callback that waits for its turn gets it; inf where none waits."""
    single = p.oversize.all(0)  # a turn frees one IOVA, not a magazine: several may pass
    least = np.where(single, SINGLES_NS / np.maximum(s.lane_lock_wait_ns, 1.0), LEAST_ROUND)
    return np.where(s.lane_blocked, np.ceil(waiting * np.maximum(1.0 - s.lane_turns, least)), np.inf)


def _hand_out_maps(
    p: Params, lane: np.ndarray, maps: np.ndarray, ready: np.ndarray, done: Served, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares the lane's finds and failures among the CPUs: IOVAs found (kinds, n), failed attempts (classes, n)."""
    tried = done.found + done.failed
    found = np.zeros((2 * p.classes, len(lane)))
    failed = np.zeros((p.classes, len(lane)))
    low_first = p.dma32_first[lane]
    for k in range(p.classes):
        eligible = maps[k] * ready
        short = (by_lane.total(lane, eligible, p.lanes) < tried[k])[lane]
        tries = fair_share(lane, np.where(short, maps[k], eligible), tried[k], u)
        got = by_lane.share_out(lane, tries, done.found[k], tried[k])
        found[2 * k], found[2 * k + 1] = got * low_first, got * ~low_first
        failed[k] = tries - got
    return found, failed


def _without_limit(
    s: State, p: Params, rows: np.ndarray, lane: np.ndarray, found: np.ndarray, failed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What failed below 4 GiB tries the device's limit: the caches' high pfns, then the tree.

    Adds to ``found`` and leaves in ``failed`` what found nothing at all; tree attempts and failures, (classes, lanes).
    """
    popped = magazines.get(s, p, rows, failed, stream=Stream.CACHED_ANY_SIDE, limit_4g=False)
    found += popped
    failed -= popped[0::2] + popped[1::2]
    high = by_lane.total(lane, failed, p.lanes)
    some = np.flatnonzero(high.sum(0))
    failures = np.zeros_like(high)
    if len(some):
        placed, held = tree.place_high(s, p, some, high[:, some])
        s.lane_lock_debt_ns[some] += held
        s.count["held_ns"][some] += held
        failures[:, some] = high[:, some] - placed
        for k in range(p.classes):
            missing = by_lane.share_out(lane, failed[k], failures[k], high[k])
            found[2 * k + 1] += failed[k] - missing
            failed[k] = missing
    return high, failures


def _account(s: State, p: Params, given: np.ndarray, held: np.ndarray, waiting: np.ndarray, left: np.ndarray) -> None:
    """Lock time, waits and the callback's turns after ``given`` (lanes,) requests; ``left`` (lanes,): more wait."""
    handover, remote = p.cost["lock_handover_ns"], p.cost["lock_remote_ns"]
    turns = np.minimum(s.lane_turns, 1.0) + given / np.maximum(waiting, 1.0)
    s.lane_turns = np.where(left, turns, np.maximum(turns, 0.0))
    s.lane_contended = left
    s.lane_lock_debt_ns += held + given * np.where(left, handover, 0.0)
    s.lane_request_ns = np.where(given > 0, held / np.maximum(given, 1.0), s.lane_request_ns)
    s.lane_lock_wait_ns = np.where(left, waiting * (s.lane_request_ns + handover), remote)
    c = s.count
    c["acquisitions"] += given
    c["held_ns"] += held
    c["wait_ns"] += given * s.lane_lock_wait_ns
    c["wait_max_ns"] = np.where(given > 0, np.maximum(c["wait_max_ns"], s.lane_lock_wait_ns), c["wait_max_ns"])
    c["irqs_off_max_ns"] = np.maximum(c["irqs_off_max_ns"], c["wait_max_ns"] + s.lane_request_ns * (given > 0))


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

    ``most`` (lanes,) requests at most. One free can end a search that many attempts would have paid for, so turns
    are small where holes are few.
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
        u = noise.uniform(noise.key(p.seed[go], s.lane_steps[go] * MOST_TURNS + turn, Stream.LOCK_TURNS))
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
    fits = np.ceil(left_ns / np.maximum(s.lane_request_ns[go] + p.cost["lock_handover_ns"][go], SHORTEST_OP_NS))
    holes = s.lane_holes[0][:, go].sum((0, 2)) + s.lane_holes[1][:, go].sum((0, 2))
    gentle = np.where(mixed, np.floor(SMALLEST_TURN + holes / 4.0), np.inf)
    return np.maximum(np.minimum(np.minimum(fits, todo), gentle), 1.0)


def _pfns_of(s: State, p: Params, go: np.ndarray, frees: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Takes the pfns (kinds, n) of ``frees`` (classes, n) requests out of what is pending, by side in proportion."""
    pfns = frees * request_pfns(p)[:, go]
    low, high = s.lane_pending[0::2, go], s.lane_pending[1::2, go]
    some = np.clip(np.rint(low * frees / np.maximum(left, 1.0)), pfns - high, np.minimum(pfns, low))
    out = np.stack((some, pfns - some), axis=1).reshape(2 * p.classes, -1)
    s.lane_pending[:, go] -= out
    return out


def _hand_out_frees(
    s: State,
    rows: np.ndarray,
    lane: np.ndarray,
    pending: np.ndarray,
    asked: np.ndarray,
    done: np.ndarray,
    u: np.ndarray,
) -> np.ndarray:
    """Credits the lane's frees (classes, lanes) to the CPUs waiting for them: frees done (n,)."""
    total = np.zeros(len(rows))
    for k in range(len(pending)):
        if asked[k].any():
            given = fair_share(lane, pending[k], done[k], u)
            s.row_requests[k, rows] -= given
            total += given
    return total
