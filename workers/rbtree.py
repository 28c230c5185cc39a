"""How far allocations walk through the rbtree, without the tree.

Source: drivers/iommu/iova.c, __alloc_and_insert_iova_range(), __cached_rbnode_delete_update(). With one size the
allocator takes the highest free slot: a walk leaves no hole above the cached node, and a free above it moves the
cached node up to the freed one. So a side of the tree (below 4 GiB, above) is: the number of nodes, the cached
node's rank, and how many holes lie in each of BANDS equal parts of the ranks. Ranks are fractions of the nodes,
0 at the top. A walk's length is the ranks it passes times the nodes.

Frees hit ranks at random: after m of them the highest lies at rank 1 / (m + 1) on average, hence
E[min(c, highest)] = (1 - (1 - c)^(m + 1)) / (m + 1) for a cached node at c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BANDS = 16


class Walk(NamedTuple):
    """An allocation run's outcome; shapes (n,), ``holes`` (n, BANDS)."""

    holes: np.ndarray
    cached: np.ndarray
    taken: np.ndarray
    passed: np.ndarray


def find_visits(nodes: np.ndarray) -> np.ndarray:
    """Nodes looked at to find one of ``nodes``: a red-black tree's mean depth, about log2(n) - 0.5."""
    return np.maximum(np.log2(np.maximum(nodes, 1.0)) - 0.5, 1.0)


def free(holes: np.ndarray, cached: np.ndarray, freed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Holes, cached rank and chance that the cached node moved, after ``freed`` (n,) frees at random ranks."""
    holes = holes + freed[:, None] / BANDS
    kept = (1.0 - cached) ** freed
    cached = (1.0 - kept * (1.0 - cached)) / (freed + 1.0)
    return holes, cached, 1.0 - kept


def fill(holes: np.ndarray, cached: np.ndarray, nodes: np.ndarray, want: np.ndarray) -> Walk:
    """Takes up to ``want`` (n,) holes from the top and counts the nodes passed (rb_prev beyond one an allocation)."""
    below = np.cumsum(holes, axis=1)
    taken = np.minimum(want, below[:, -1])
    left = np.maximum(below - taken[:, None], 0.0)
    left[:, 1:] -= left[:, :-1].copy()
    left = np.minimum(np.maximum(left, 0.0), holes)
    used = 1.0 - left / np.maximum(holes, 1e-300)
    reached = np.where(holes > 0, used, 0.0)
    last = BANDS - 1 - np.argmax(reached[:, ::-1] > 0, axis=1)
    part = np.take_along_axis(reached, last[:, None], axis=1)[:, 0]
    rank = np.where(taken > 0, (last + part) / BANDS, 0.0)
    moved = np.maximum(rank - cached, 0.0)
    return Walk(left, np.maximum(cached, rank), taken, moved * nodes)
