"""Depot policies: one file each, the same two functions.

``room(magazines, capacity)``: magazines a bin still accepts; ``surplus(magazines, threshold)``: magazines the
depot work would trim. Shapes broadcast; counts are whole numbers in float64.
"""

from __future__ import annotations

import numpy as np

from workers.slices.depot import array, unbounded
from workers.slices.params import Params


def room(magazines: np.ndarray, p: Params) -> np.ndarray:
    """Magazines (classes, lanes) each bin still accepts."""
    return np.where(p.is_list, unbounded.room(magazines, p.capacity), array.room(magazines, p.capacity))


def surplus(magazines: np.ndarray, p: Params) -> np.ndarray:
    """Magazines (classes, lanes) above what each bin keeps for good."""
    return np.where(
        p.is_list, unbounded.surplus(magazines, p.trim_threshold), array.surplus(magazines, p.trim_threshold)
    )
