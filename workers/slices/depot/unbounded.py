"""911aa1245da8 and 233045378dbb: an unbounded list, trimmed one magazine at a time by delayed work."""

from __future__ import annotations

import numpy as np


def room(magazines: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Without limit. Source: drivers/iommu/iova.c (6.12), iova_depot_push()."""
    return np.full(np.broadcast_shapes(magazines.shape, capacity.shape), np.inf)


def surplus(magazines: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Magazines above num_online_cpus(). Source: drivers/iommu/iova.c (6.12), iova_depot_work_func()."""
    return np.maximum(magazines - threshold, 0.0)
