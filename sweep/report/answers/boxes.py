"""Boxes that hold most of what locks up and little else: bump hunting on a table of levels, as PRIM does it.

A box is a range of levels of each feature. It starts as everything and is cut, range by range, to what is worth most
when a row that locks up earns 1 and one that does not costs a price; the price rises in steps from what makes
everything break even to what asks for TARGET of the box to lock up, so that the ranges that explain most are cut first.
Then what is in the box is taken away, and the next box is looked for. Numpy only, the same answer for the same table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TARGET = 0.9
STEPS = 6
MOST_BOXES = 4
LEAST_SHARE, LEAST_ROWS = 0.05, 3
"""A box must add this share of all that locks up, and so many rows."""

LEAST_PRECISION = 0.6
WORTH = 0.04
"""A condition stays if without it the box is worth less by this share of all that locks up."""


@dataclass(frozen=True)
class Box:
    """``low``, ``high`` (features,): the first and last level of each; of all rows how many are in it (``rows``) and
    how many of those lock up (``locked``)."""

    low: np.ndarray
    high: np.ndarray
    rows: int
    locked: int


def boxes(levels: np.ndarray, rows: np.ndarray, locked: np.ndarray) -> list[Box]:
    """At most MOST_BOXES boxes, the one found first first.

    ``levels`` (cells, features): whole numbers from 0; ``rows``, ``locked`` (cells,): how many rows a cell stands for
    and how many of them lock up.
    """
    found: list[Box] = []
    left = np.ones(len(levels), bool)
    least = max(min(LEAST_ROWS, locked.sum()), LEAST_SHARE * locked.sum())
    while len(found) < MOST_BOXES and locked[left].sum() >= max(1, least):
        low, high = _hunt(levels[left], rows[left], locked[left])
        inside = _inside(levels, low, high)
        new, new_rows = int(locked[inside & left].sum()), int(rows[inside & left].sum())
        if new < least or new < LEAST_PRECISION * new_rows:
            break
        found.append(Box(low, high, int(rows[inside].sum()), int(locked[inside].sum())))
        left &= ~inside
    return found


def covered(levels: np.ndarray, found: list[Box]) -> np.ndarray:
    """Which cells are in one of the boxes, a mask (cells,)."""
    inside: np.ndarray = np.zeros(len(levels), bool)
    for box in found:
        inside |= _inside(levels, box.low, box.high)
    return inside


def _inside(levels: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.all((levels >= low) & (levels <= high), axis=1)


def _hunt(levels: np.ndarray, rows: np.ndarray, locked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box worth most, by rising prices, with no condition that is not worth having."""
    counts = levels.max(axis=0) + 1
    low, high = np.zeros(len(counts), np.int64), counts - 1
    base = locked.sum() / rows.sum()
    if base == 1:
        return low, high
    for share in np.linspace(base, max(base, TARGET), STEPS + 1)[1:]:
        gain = locked - min(share / (1 - share), 1e6) * (rows - locked)
        while True:
            cuts = [_best_range(levels, gain, low, high, feature, counts[feature]) for feature in range(len(counts))]
            feature = int(np.argmax([worth for worth, _, _ in cuts]))
            worth, first, last = cuts[feature]
            if worth <= gain[_inside(levels, low, high)].sum() + 1e-9:
                break
            low[feature], high[feature] = first, last
    return _plain(levels, gain, low, high, counts, WORTH * locked.sum())


def _best_range(
    levels: np.ndarray, gain: np.ndarray, low: np.ndarray, high: np.ndarray, feature: int, count: int
) -> tuple[float, int, int]:
    """(worth, first, last) of the range of a feature's levels worth most, the others as they are; of equals the
    widest."""
    others = np.delete(np.arange(levels.shape[1]), feature)
    inside = _inside(levels[:, others], low[others], high[others])
    sums = np.concatenate([[0.0], np.bincount(levels[inside, feature], gain[inside], count).cumsum()])
    worth = sums[None, 1:] - sums[:-1, None]  # (first, last)
    first, last = np.indices(worth.shape)
    worth = np.where(last >= first, worth, -np.inf)
    best = worth >= worth.max() - 1e-9
    at = np.unravel_index(np.argmax(np.where(best, last - first, -1)), worth.shape)
    return float(worth[at]), int(at[0]), int(at[1])


def _plain(
    levels: np.ndarray, gain: np.ndarray, low: np.ndarray, high: np.ndarray, counts: np.ndarray, worth: float
) -> tuple[np.ndarray, np.ndarray]:
    """The box without the ends of ranges that are worth less than ``worth``, the least one first."""
    while True:
        now = gain[_inside(levels, low, high)].sum()
        options = []
        for feature in range(len(counts)):
            for ends, free in ((low, 0), (high, counts[feature] - 1)):
                if ends[feature] != free:
                    kept, ends[feature] = ends[feature], free
                    options.append((now - gain[_inside(levels, low, high)].sum(), feature, ends is high, free))
                    ends[feature] = kept
        if not options or min(options)[0] > worth:
            return low, high
        _, feature, upper, free = min(options)
        (high if upper else low)[feature] = free
