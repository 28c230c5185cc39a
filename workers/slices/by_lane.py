"""Sums and shares over the rows of each lane, for rows in lane order.

``lane`` is a non-decreasing array (n,) of lane numbers. Whole numbers in float64 add up exactly, so nothing
here depends on the other lanes of a batch.
"""

from __future__ import annotations

import numpy as np


def total(lane: np.ndarray, values: np.ndarray, lanes: int) -> np.ndarray:
    """Sum of ``values`` (n,) or (kinds, n) for each lane: (lanes,) or (kinds, lanes)."""
    if values.ndim == 1:
        return np.bincount(lane, values, lanes)
    return np.stack([np.bincount(lane, v, lanes) for v in values])


def least(lane: np.ndarray, values: np.ndarray, lanes: int) -> np.ndarray:
    """Minimum of ``values`` (n,) for each lane, inf where it has no rows: (lanes,)."""
    out = np.full(lanes, np.inf)
    if len(lane):
        starts = np.flatnonzero(np.diff(lane, prepend=-1))
        out[lane[starts]] = np.minimum.reduceat(values, starts)
    return out


def before(lane: np.ndarray, counts: np.ndarray, lanes: int) -> np.ndarray:
    """Sum of the whole numbers ``counts`` (n,) of the lane's earlier rows: (n,)."""
    sums = np.bincount(lane, counts, lanes)
    return np.cumsum(counts) - counts - (np.cumsum(sums) - sums)[lane]


def share_out(lane: np.ndarray, counts: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Splits each lane's ``part`` (lanes,) over its rows in proportion to ``counts`` (n,), exactly, in whole numbers.

    ``whole`` (lanes,) is the sum of ``counts``; part <= whole. No row gets more than its count.
    """
    ratio = (part / np.maximum(whole, 1.0))[lane]
    start = before(lane, counts, len(part))
    return np.rint((start + counts) * ratio) - np.rint(start * ratio)
