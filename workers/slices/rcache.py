"""A CPU's cache of freed IOVAs of one bin, many operations at once.

Source: drivers/iommu/iova.c, __iova_rcache_insert() and __iova_rcache_get(). A cache is the pair of
magazines ``loaded`` and ``prev``; each is an array (2, n): pfns below 4 GiB, pfns above, of n CPUs.
The split matters because a get looks at ``loaded`` only: one that holds nothing but high pfns makes every
32-bit attempt miss, however full ``prev`` and the depot are (a poisoned magazine).

All functions are pure; counts are whole numbers in float64; ``u`` is a uniform random number for each CPU,
used to round the split of a mixed batch without bias.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LOW, HIGH = 0, 1


class Inserted(NamedTuple):
    """Magazines after an insert, and the full ones handed to the depot."""

    loaded: np.ndarray
    prev: np.ndarray
    pushed: np.ndarray
    pushed_pfns: np.ndarray


def size_of(batch: np.ndarray) -> np.ndarray:
    """Pfns in a batch (2, n): (n,)."""
    return batch[LOW] + batch[HIGH]


def split(batch: np.ndarray, count: np.ndarray, u: np.ndarray) -> np.ndarray:
    """``count`` of the pfns of ``batch`` (2, n) -> (2, n), its low and high ones in proportion."""
    total = size_of(batch)
    low = np.floor(count * batch[LOW] / np.maximum(total, 1.0) + u)
    low = np.minimum(np.maximum(low, np.maximum(count - batch[HIGH], 0.0)), np.minimum(count, batch[LOW]))
    return np.stack((low, count - low))


def insert(loaded: np.ndarray, prev: np.ndarray, freed: np.ndarray, size: np.ndarray, u: np.ndarray) -> Inserted:
    """Frees ``freed`` (2, n) into caches of magazine ``size`` (n,).

    Push to ``loaded``; when full, swap with a ``prev`` that is not; when both are full, hand ``loaded``
    (the newest) to the depot and start an empty one. Equal to inserting one pfn at a time.
    """
    first = split(freed, np.minimum(size_of(freed), size - size_of(loaded)), u)
    loaded = loaded + first
    rest = freed - first
    swap = (size_of(rest) > 0) & (size_of(prev) < size)
    loaded, prev = np.where(swap, prev, loaded), np.where(swap, loaded, prev)
    second = split(rest, np.where(swap, np.minimum(size_of(rest), size - size_of(loaded)), 0.0), u)
    loaded = loaded + second
    rest = rest - second
    pushed = np.ceil(size_of(rest) / size)
    straight = split(rest, np.maximum(pushed - 1.0, 0.0) * size, u)
    any_pushed = pushed > 0
    pushed_pfns = np.where(any_pushed, loaded + straight, 0.0)
    loaded = np.where(any_pushed, rest - straight, loaded)
    return Inserted(loaded, prev, pushed, pushed_pfns)


class Popped(NamedTuple):
    """Magazines after gets, and the pfns taken."""

    loaded: np.ndarray
    prev: np.ndarray
    taken: np.ndarray


def _pop(loaded: np.ndarray, want: np.ndarray, low_only: np.ndarray, u: np.ndarray) -> np.ndarray:
    fits = np.where(low_only, loaded[LOW], size_of(loaded))
    count = np.minimum(want, fits)
    any_side = split(loaded, count, u)
    return np.where(low_only, np.stack((count, np.zeros_like(count))), any_side)


def get(loaded: np.ndarray, prev: np.ndarray, want: np.ndarray, low_only: np.ndarray, u: np.ndarray) -> Popped:
    """Takes up to ``want`` (n,) pfns: from ``loaded``, and once that is empty from ``prev``.

    ``low_only`` (n,): the limit is 4 GiB. A ``loaded`` left with high pfns only stops the gets.
    """
    first = _pop(loaded, want, low_only, u)
    loaded = loaded - first
    want = want - size_of(first)
    swap = (want > 0) & (size_of(loaded) == 0) & (size_of(prev) > 0)
    loaded, prev = np.where(swap, prev, loaded), np.where(swap, loaded, prev)
    second = _pop(loaded, np.where(swap, want, 0.0), low_only, u)
    return Popped(loaded - second, prev, first + second)


def at_hand(loaded: np.ndarray, want: np.ndarray, low_only: np.ndarray) -> np.ndarray:
    """Which of ``want`` (n,) gets ``loaded`` answers alone, all from one side: pfns (2, n) there, 0 elsewhere."""
    from_low = want * (low_only & (want <= loaded[LOW]))
    from_high = want * (~low_only & (loaded[LOW] == 0) & (want <= loaded[HIGH]))
    return np.stack((from_low, from_high))


def magazines_wanted(loaded: np.ndarray, prev: np.ndarray, want: np.ndarray, size: np.ndarray, mixed: np.ndarray):
    """Magazines (n,) a CPU would take from the depot for ``want`` more gets: none unless both of its own are empty.

    ``mixed`` (n,): the depot's magazines hold high pfns that would stop the gets, so one at a time.
    """
    empty = (size_of(loaded) == 0) & (size_of(prev) == 0) & (want > 0)
    many = np.where(mixed, 1.0, np.ceil(want / size))
    return np.where(empty, many, 0.0)
