"""What a CPU's own operations take, where it never waits.

Source: drivers/iommu/dma-iommu.c (5.15), __iommu_dma_unmap(), iommu_dma_alloc_iova(); costs are docs/virtual-time.md's.
"""

from __future__ import annotations

import numpy as np

from workers.schema import Columns


def burst_to_burst_ns(scenarios: Columns) -> np.ndarray:
    """From one burst of a CPU to its next, shape (rows,): the period, or the time of its own operations if longer.

    Each unmap is freed and mapped again, from a cache that hits; under iommu.strict=1 each is flushed, too.
    """
    s = scenarios
    pair_ns = s["unmap_ns"] + s["map_ns"] + 3 * s["lock_local_ns"] + s["fq_entry_local_ns"]
    pair_ns = pair_ns + np.where(s["strict"], s["iotlb_flush_ns"], 0.0)
    return np.maximum(1e3 * s["burst_period_us"], s["unmap_burst"] * pair_ns)
