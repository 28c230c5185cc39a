"""Unmaps: the per-CPU rings and the flush counters.

Source: drivers/iommu/iova.c (5.15), queue_iova(), fq_ring_free(), fq_full(). A ring entry may be freed once a
flush began after it was appended. Any flush, by a full ring or by the timer, therefore releases what every CPU
queued before it; each CPU frees its own released entries at its next unmap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.schema import FQ_ENTRIES
from workers.slices import by_lane


class Queued(NamedTuple):
    """Rings after a burst, shapes (kinds, n); ``flushes`` and ``flush_ns`` (lanes,), inf where none."""

    old: np.ndarray
    new: np.ndarray
    freed: np.ndarray
    flushes: np.ndarray
    flush_ns: np.ndarray


def part_of(batch: np.ndarray, count: np.ndarray, u: np.ndarray) -> np.ndarray:
    """``count`` (n,) of the entries of ``batch`` (kinds, n), in proportion: (kinds, n) whole numbers."""
    out = np.zeros_like(batch)
    left = batch.sum(0)
    count = np.minimum(count, left)
    last = len(batch) - 1
    for kind in range(last):
        rest = left - batch[kind]
        take = np.floor(count * batch[kind] / np.maximum(left, 1.0) + u)
        take = np.minimum(np.maximum(take, np.maximum(count - rest, 0.0)), np.minimum(batch[kind], count))
        out[kind] = take
        count = count - take
        left = rest
    out[last] = count
    return out


def queue_burst(
    lane: np.ndarray,
    lanes: int,
    old: np.ndarray,
    new: np.ndarray,
    unmapped: np.ndarray,
    start_ns: np.ndarray,
    unmap_ns: np.ndarray,
    slice_ns: np.ndarray,
    u: np.ndarray,
) -> Queued:
    """One burst of unmaps on each of n CPUs, ``unmapped`` (kinds, n), each starting at ``start_ns`` (n,).

    The first ring of a lane to fill flushes for all; what a CPU appended before that moment is released, and freed
    if the CPU goes on unmapping after it.
    """
    burst = unmapped.sum(0)
    held = new.sum(0)
    fills = held + burst > FQ_ENTRIES
    full_ns = np.where(fills, start_ns + (FQ_ENTRIES - held) * unmap_ns, np.inf)
    flush_ns = by_lane.least(lane, full_ns, lanes)
    freed = old * (burst > 0)  # a CPU that unmaps nothing does not look at its ring
    kept_old, kept_new = old - freed, new + unmapped
    flushed = np.isfinite(flush_ns)
    flushes = flushed.astype(float)
    at = np.flatnonzero(flushed[lane])
    if len(at):
        appended = np.floor((flush_ns[lane[at]] - start_ns[at]) / unmap_ns[at] + 1e-9)
        appended = np.minimum(np.maximum(appended, 0.0), np.minimum(burst[at], np.maximum(FQ_ENTRIES - held[at], 0.0)))
        first = part_of(unmapped[:, at], appended, u[at])
        rest = unmapped[:, at] - first
        again, straight = _long_bursts(lane[at], lanes, rest.sum(0), unmap_ns[at], slice_ns, u[at])
        straight = part_of(rest, straight, u[at])
        goes_on = rest.sum(0) > 0
        released = new[:, at] + first
        freed[:, at] += (released + straight) * goes_on
        kept_old[:, at] += released * ~goes_on
        kept_new[:, at] = rest - straight
        flushes += by_lane.total(lane[at], again, lanes)
    return Queued(kept_old, kept_new, freed, flushes, flush_ns)


def _long_bursts(
    lane: np.ndarray, lanes: int, left: np.ndarray, unmap_ns: np.ndarray, slice_ns: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Flushes (n,) of CPUs with ``left`` (n,) unmaps to go, more than a ring holds, and how many of those they free.

    Other CPUs do the same: a flush by one of them within the time a ring takes to fill saves this CPU its own. With
    r such bursts a ns and w ns to fill a ring, flushes come at the rate r q, q = exp(-r q w) (so r q w = W(r w),
    Lambert's W); the last one before the burst's end lies an exponential time back.
    """
    long = left > FQ_ENTRIES
    fill_ns = FQ_ENTRIES * unmap_ns
    rate = (by_lane.total(lane, long.astype(float), lanes) / np.maximum(slice_ns, 1.0))[lane]
    others = np.maximum(rate - 1.0 / np.maximum(slice_ns, 1.0)[lane], 0.0) * fill_ns
    own = np.exp(-lambert_w(others))
    times = np.maximum(np.ceil(left / FQ_ENTRIES) - 1.0, 0.0)
    flushes = np.where(long, np.floor(times * own + u), 0.0)
    with np.errstate(divide="ignore"):
        since = np.floor(-np.log1p(-((u * 1024.0) % 1.0)) / np.maximum(others * own / FQ_ENTRIES, 1e-12))
    since = np.where(since < left, since % FQ_ENTRIES, left - times * FQ_ENTRIES)
    return flushes, np.where(long, left - since, 0.0)


def lambert_w(x: np.ndarray) -> np.ndarray:
    """The w >= 0 with w exp(w) = x, for x >= 0, by Newton's method; same shape."""
    w = np.log1p(x)
    for _ in range(6):
        e = np.exp(w)
        w = w - (w * e - x) / (e * (w + 1.0))
    return w
