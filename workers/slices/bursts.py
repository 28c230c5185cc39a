"""The workload: bursts of unmaps, then as many maps, on every active CPU.

Rules: docs/virtual-time.md. A burst that is late moves the CPU's phase for good.
"""

from __future__ import annotations

import numpy as np

from workers.slices import by_lane, flush_queue, in_flight, lock, magazines, noise, timer
from workers.slices.in_flight import SEGMENTS
from workers.slices.noise import Stream
from workers.slices.params import SHORTEST_OP_NS, Params
from workers.slices.state import State


def actors(s: State, p: Params, until_ns: np.ndarray) -> np.ndarray:
    """Rows (n,) with a burst due in the slice or one unfinished; the CPU inside the timer softirq waits."""
    mask = (s.row_next_ns < until_ns[p.row_lane]) | s.row_busy
    inside = s.lane_in_callback
    mask[s.lane_timer_row[inside]] = False
    # the callback holds the lock of the ring it is in: its CPU cannot begin to unmap
    at = np.minimum(p.first_row + np.clip(s.lane_ring_pos, 0, p.active - 1), len(mask) - 1)[inside]
    mask[at[~s.row_busy[at] & (s.row_ring_old[:, at].sum(0) > 0)]] = False
    return np.flatnonzero(mask)


def unmap(s: State, p: Params, rows: np.ndarray, until_ns: np.ndarray) -> None:
    """Starts the bursts that are due: unmaps into the rings, flushes, local frees, and the number of maps to come."""
    rows = rows[~s.row_busy[rows]]
    lane = p.row_lane[rows]
    timer.release(s, p, rows)
    start = np.maximum(s.row_next_ns[rows], s.lane_now_ns[lane])
    period = p.pace_ns[lane]
    many = np.where(
        period < until_ns[lane] - s.lane_now_ns[lane], np.floor((until_ns[lane] - start) / period) + 1.0, 1.0
    )
    u = magazines.draw(s, p, rows, Stream.IN_FLIGHT, 0)
    unmapped = in_flight.take(s.row_fifo, s.row_head, s.row_tail, rows, many * p.burst[lane], u)
    s.row_in_flight[:, rows] -= unmapped
    s.row_next_ns[rows] = start + np.where(many > 1, many * period, 0.0)
    _queue(s, p, rows, lane, unmapped, start, u, until_ns)
    first = by_lane.least(lane, np.where(unmapped.sum(0) > 0, start, np.inf), p.lanes)
    first_row = np.full(p.lanes, -1)
    at_first = np.flatnonzero(start == first[lane])
    first_row[lane[at_first[::-1]]] = rows[at_first[::-1]]
    timer.arm(s, p, first, first_row)
    s.count["ops"] += by_lane.total(lane, unmapped.sum(0), p.lanes)
    target = _target(p, rows)
    room = np.maximum(2.0 * p.in_flight[lane] - s.row_in_flight[:, target].sum(0), 0.0)
    s.row_maps_left[:, rows] = _sizes(s, p, rows, lane, np.minimum(many * p.burst[lane], room))
    s.row_busy[rows] = True


def _target(p: Params, rows: np.ndarray) -> np.ndarray:
    """The rows (n,) that will unmap what ``rows`` (n,) map."""
    lane = p.row_lane[rows]
    return p.first_row[lane] + (p.row_cpu[rows] + p.shift[lane]) % p.active[lane]


def _queue(
    s: State,
    p: Params,
    rows: np.ndarray,
    lane: np.ndarray,
    unmapped: np.ndarray,
    start: np.ndarray,
    u: np.ndarray,
    until_ns: np.ndarray,
) -> None:
    """queue_iova() of a burst, or under iommu.strict=1 a flush and a free of each; what must go to the tree waits."""
    c = p.cost
    old, new = s.row_ring_old[:, rows], s.row_ring_new[:, rows]
    strict = p.strict[lane]
    queued = np.where(strict, 0.0, unmapped)
    unmap_ns = np.maximum(c["unmap_ns"] + c["lock_local_ns"], SHORTEST_OP_NS)[lane]
    slice_ns = until_ns - s.lane_now_ns
    done = flush_queue.queue_burst(lane, p.lanes, old, new, queued, start, unmap_ns, slice_ns, u)
    s.row_ring_old[:, rows], s.row_ring_new[:, rows] = done.old, done.new
    flushes = done.flushes
    s.lane_epoch = s.lane_epoch + (flushes > 0)
    s.row_epoch[rows] = s.lane_epoch[lane]
    s.row_ring_holder[rows] = -1
    s.count["flushes"] += flushes + by_lane.total(lane, np.where(strict, unmapped.sum(0), 0.0), p.lanes)
    freed = done.freed + np.where(strict, unmapped, 0.0)
    s.count["drained_locally"] += by_lane.total(lane, np.where(strict, 0.0, done.freed.sum(0)), p.lanes)
    big = np.repeat(p.oversize[:, lane], 2, axis=0)
    over = magazines.insert(s, p, rows, freed * ~big, stream=Stream.FREED)
    pending = over + freed * big
    if pending.any():
        unit = lock.request_pfns(p)[:, lane]
        s.row_requests[:, rows] += (pending[0::2] + pending[1::2]) / unit
        s.row_asked_ns[rows] = np.where((pending > 0).any(0), start, s.row_asked_ns[rows])
        s.lane_pending += by_lane.total(lane, pending, p.lanes)


def _sizes(s: State, p: Params, rows: np.ndarray, lane: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Draws ``number`` (n,) sizes from the mix: (classes, n), multinomial in mean and variance."""
    out = np.zeros((p.classes, len(rows)))
    left, weight_left = number.copy(), np.ones(len(rows))
    for k in range(p.classes):
        share = np.minimum(p.weight[k, lane] / np.maximum(weight_left, 1e-12), 1.0)
        share = np.where(share > 1 - 1e-9, 1.0, share)
        keys = noise.row_key(p.seed[lane], s.lane_steps[lane], Stream.SIZES, p.row_cpu[rows], k)
        noisy = left * share + np.sqrt(left * share * (1 - share)) * noise.normal(keys)
        out[k] = np.clip(np.rint(noisy), 0.0, left)
        left = left - out[k]
        weight_left = weight_left - p.weight[k, lane]
    return out


def map_from_caches(s: State, p: Params, rows: np.ndarray) -> None:
    """Maps what loaded, prev and the depot hold; CPUs still waiting to free to the tree come to the lock first."""
    rows = rows[s.row_requests[:, rows].sum(0) == 0]
    taken = magazines.get(s, p, rows, s.row_maps_left[:, rows], stream=Stream.CACHED)
    _deliver(s, p, rows, taken)


def _deliver(s: State, p: Params, rows: np.ndarray, found: np.ndarray) -> None:
    """Hands the IOVAs found (kinds, n) to the CPUs that will unmap them."""
    some = np.flatnonzero(found.sum(0))
    rows, found = rows[some], found[:, some]
    lane = p.row_lane[rows]
    target = _target(p, rows)
    s.row_in_flight[:, target] += found
    in_flight.put(s.row_fifo, s.row_head, s.row_tail, target, found, np.ceil(p.in_flight[lane] / SEGMENTS))
    s.row_maps_left[:, rows] -= found[0::2] + found[1::2]
    s.count["ops"] += by_lane.total(lane, found.sum(0), p.lanes)


def map_from_tree(s: State, p: Params, rows: np.ndarray, length_ns: np.ndarray) -> np.ndarray:
    """Sends the misses (and frees) to iova_rbtree_lock, as many as it serves in the slice of ``length_ns`` (lanes,).

    Returns the slice's length, cut to the moment at which a waiting callback gets the lock.
    """
    frees = s.row_requests[:, rows].sum(0)
    maps = _misses(s, p, rows)
    some = np.flatnonzero(frees + maps.sum(0))
    rows, frees, maps = rows[some], frees[some], maps[:, some]
    capacity_ns = np.maximum(length_ns - s.lane_lock_debt_ns, 0.0)
    found, failed, turn_ns = lock.serve(s, p, rows, frees, maps, capacity_ns)
    _deliver(s, p, rows, found)
    if failed.any():
        s.row_maps_left[:, rows] -= failed
        s.count["ops"] += by_lane.total(p.row_lane[rows], failed.sum(0), p.lanes)
    return np.minimum(length_ns, turn_ns)


def _misses(s: State, p: Params, rows: np.ndarray) -> np.ndarray:
    """Maps (classes, n) that go to the tree now.

    Once the high pfns in ``loaded`` are used up the caches come first again; a CPU that still frees to the tree has
    not asked its caches yet.
    """
    maps = s.row_maps_left[:, rows].copy()
    frees = s.row_requests[:, rows].sum(0) > 0
    for k in range(p.classes):
        maps[k] *= ~frees | p.oversize[k, p.row_lane[rows]]
        stuck = s.row_loaded[2 * k + 1, rows] * p.dma32_first[p.row_lane[rows]]
        maps[k] = np.where(stuck > 0, np.minimum(maps[k], stuck), maps[k])
    return maps


def finish(s: State, p: Params, rows: np.ndarray) -> None:
    """Closes finished bursts: the next one comes a period later, or at once if that is past."""
    _end_spans(s, p, rows)
    done = (s.row_maps_left[:, rows].sum(0) + s.row_requests[:, rows].sum(0) == 0) & s.row_busy[rows]
    r = rows[done]
    lane = p.row_lane[r]
    s.row_busy[r] = False
    now = s.lane_now_ns[lane]
    ahead = np.where(s.row_next_ns[r] < now, p.pace_ns[lane], 0.0)  # several bursts in a slice have moved it already
    s.row_next_ns[r] = np.maximum(s.row_next_ns[r] + ahead, now)


def _end_spans(s: State, p: Params, rows: np.ndarray) -> None:
    """Interrupts stay off from queue_iova() asking for its ring until the last free it owes the tree is done."""
    r = rows[(s.row_asked_ns[rows] > 0) & (s.row_requests[:, rows].sum(0) == 0)]
    if len(r):
        lane = p.row_lane[r]
        longest = -by_lane.least(lane, s.row_asked_ns[r] - s.lane_now_ns[lane], p.lanes)
        s.count["irqs_off_max_ns"] = np.maximum(s.count["irqs_off_max_ns"], longest)
        s.row_asked_ns[r] = 0.0
