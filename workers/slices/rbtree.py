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
BUSY_SAVING = 0.385


class Walk(NamedTuple):
    """An allocation run's outcome; shapes (n,), ``holes`` (n, BANDS)."""

    holes: np.ndarray
    cached: np.ndarray
    taken: np.ndarray
    passed: np.ndarray


def find_visits(nodes: np.ndarray) -> np.ndarray:
    """Nodes looked at to find one of ``nodes``: a full tree's mean depth, about log2(n) - 1.

    In a red-black tree it is half a level more or less, by how they came (workers.events.tree, ``find_ns``).
    """
    return np.maximum(np.log2(np.maximum(nodes, 1.0)) - 1.0, 1.0)


def free(cached: np.ndarray, freed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank of the cached node after ``freed`` (n,) frees at random ranks, and the chance that it moved."""
    kept = (1.0 - cached) ** freed
    return (1.0 - kept * (1.0 - cached)) / (freed + 1.0), 1.0 - kept


class Churn(NamedTuple):
    """What frees and allocations in random order leave behind; shapes (n,), ``holes`` (n, BANDS) to be added."""

    refilled: np.ndarray
    holes: np.ndarray
    cached: np.ndarray
    passed: np.ndarray


def churn(cached: np.ndarray, nodes: np.ndarray, freed: np.ndarray, want: np.ndarray, u: np.ndarray) -> Churn:
    """``freed`` frees and ``want`` allocations in random order, for what happens above the cached node.

    A free above the cached node (rank c, chance c) is the highest hole: the next allocation takes it, the one
    after walks back. Up from c that is c / 2 of the ranks; where holes above are refilled more slowly (busy
    share b = c freed / want) the pointer already stands among them: at b = 1 a free lies 0.115 c above it, measured
    on a row of slots with frees and allocations in random order.
    Frees that nobody takes stay as holes, above and below.
    """
    above = cached * freed
    refilled = np.minimum(np.floor(np.minimum(above, want) + u), np.minimum(freed, want))
    busy = refilled / np.maximum(want, 1e-300)
    passed = refilled * cached * nodes * (0.5 - BUSY_SAVING * busy)
    rest = freed - refilled
    stay = np.minimum(np.maximum(above - refilled, 0.0), rest)
    edge = np.arange(1, BANDS + 1) / BANDS
    at = np.clip(cached, 0.5 / BANDS, 1.0 - 0.5 / BANDS)[:, None]
    below = np.clip(edge - at, 0.0, 1.0 / BANDS)
    upper = 1.0 / BANDS - below
    holes = (rest - stay)[:, None] * below / (1.0 - at) + stay[:, None] * upper / at
    return Churn(refilled, holes, cached / (stay + 1.0), passed)


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
