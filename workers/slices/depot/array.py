"""Linux 5.15: a fixed array of magazines; what does not fit is freed to the rbtree at once."""

from __future__ import annotations

import numpy as np


def room(magazines: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Free places of the array. Source: drivers/iommu/iova.c, __iova_rcache_insert(), MAX_GLOBAL_MAGS."""
    return np.maximum(capacity - magazines, 0.0)


def surplus(magazines: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Always 0: nothing trims an array."""
    return np.zeros(np.broadcast_shapes(magazines.shape, threshold.shape))
