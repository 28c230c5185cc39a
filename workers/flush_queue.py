"""Unmaps: the per-CPU rings and the flush counters.

Source: drivers/iommu/iova.c (5.15), queue_iova(), fq_ring_free(), fq_full(). A ring entry may be freed once a
flush began after it was appended. Any flush, by a full ring or by the timer, therefore releases what every CPU
queued before it; each CPU frees its own released entries at its next unmap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import by_lane
from workers.schema import FQ_SLOTS


class Queued(NamedTuple):
    """Rings after a burst, shapes (kinds, n); ``flushes`` and ``flush_ns`` (lanes,), inf where none."""

    old: np.ndarray
    new: np.ndarray
    freed: np.ndarray
    flushes: np.ndarray
    flush_ns: np.ndarray
    finished_before: np.ndarray


def part_of(batch: np.ndarray, count: np.ndarray, u: np.ndarray) -> np.ndarray:
    """``count`` (n,) of the entries of ``batch`` (kinds, n), in proportion: (kinds, n) whole numbers."""
    out = np.zeros_like(batch)
    left = batch.sum(0)
    count = np.minimum(count, left)
    last = len(batch) - 1
    for kind in range(last):
        rest = left - batch[kind]
        take = np.floor(count * batch[kind] / np.maximum(left, 1.0) + u)
        take = np.clip(take, np.maximum(count - rest, 0.0), np.minimum(batch[kind], count))
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
    u: np.ndarray,
) -> Queued:
    """One burst of unmaps on each of n CPUs, ``unmapped`` (kinds, n), each starting at ``start_ns`` (n,).

    The first ring of a lane to fill flushes for all; what a CPU appended before that moment is released, and freed
    if the CPU goes on unmapping after it. ``finished_before`` (n,): the CPU's burst was over by then.
    """
    burst = unmapped.sum(0)
    held = new.sum(0)
    fills = held + burst > FQ_SLOTS
    full_ns = np.where(fills, start_ns + (FQ_SLOTS - held) * unmap_ns, np.inf)
    flush_ns = by_lane.least(lane, full_ns, lanes)
    moment = flush_ns[lane]
    flushed = np.isfinite(moment)
    with np.errstate(invalid="ignore"):
        appended = np.where(flushed, np.floor((moment - start_ns) / unmap_ns), burst)
    appended = np.clip(appended, 0.0, np.minimum(burst, np.maximum(FQ_SLOTS - held, 0.0)))
    first = part_of(unmapped, appended, u)
    rest = unmapped - first
    # a burst beyond a whole ring fills it again and again
    again = np.where(flushed, np.maximum(np.ceil(rest.sum(0) / FQ_SLOTS) - 1.0, 0.0), 0.0)
    straight = part_of(rest, again * FQ_SLOTS, u)
    goes_on = flushed & (rest.sum(0) > 0)
    over = flushed & ~goes_on
    freed = old + np.where(goes_on, new + first + straight, 0.0)
    kept_old = np.where(over, new + first, 0.0)
    kept_new = np.where(goes_on, rest - straight, np.where(over, 0.0, new + first + rest))
    flushes = np.isfinite(flush_ns) + by_lane.total(lane, again, lanes)
    return Queued(kept_old, kept_new, freed, flushes, flush_ns, over)
