"""The IOVAs a CPU has mapped, oldest first.

What is unmapped was mapped long ago: a CPU that mapped below 4 GiB at first and above later frees in that order,
and the caches' split into low and high follows with that delay. Each row keeps its IOVAs in SEGMENTS segments by
age, each a count per kind: ``fifo`` (kinds, SEGMENTS, rows), ``head`` and ``tail`` (rows,) the oldest and the
newest segment in use. Within a segment the order is forgotten.
"""

from __future__ import annotations

import numpy as np

from workers.slices.flush_queue import part_of

SEGMENTS = 8


def fill(low_first: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Segments (2, SEGMENTS, n) of ``total`` (n,) IOVAs of which the first ``low_first`` (n,) lie below 4 GiB."""
    edges = np.floor(np.arange(SEGMENTS + 1)[:, None] * total / SEGMENTS)
    low = np.diff(np.minimum(edges, low_first), axis=0)
    return np.stack((low, np.diff(edges, axis=0) - low))


def take(
    fifo: np.ndarray, head: np.ndarray, tail: np.ndarray, rows: np.ndarray, count: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Removes the oldest ``count`` (n,) IOVAs of ``rows`` (n,): (kinds, n). Fewer where there are fewer."""
    taken = np.zeros((len(fifo), len(rows)))
    left = count.copy()
    todo = np.flatnonzero(left > 0)
    for _ in range(SEGMENTS):
        if not len(todo):
            break
        r = rows[todo]
        segment = fifo[:, head[r], r]
        part = part_of(segment, left[todo], u[todo])
        fifo[:, head[r], r] = segment - part
        taken[:, todo] += part
        left[todo] -= part.sum(0)
        moves = (left[todo] > 0) & (head[r] != tail[r])
        head[r] = np.where(moves, (head[r] + 1) % SEGMENTS, head[r])
        todo = todo[moves]
    return taken


def put(
    fifo: np.ndarray,
    head: np.ndarray,
    tail: np.ndarray,
    rows: np.ndarray,
    found: np.ndarray,
    segment_size: np.ndarray,
) -> None:
    """Appends ``found`` (kinds, n) to ``rows`` (n,), a new segment once the newest holds ``segment_size`` (n,)."""
    full = fifo[:, tail[rows], rows].sum(0) >= segment_size
    following = (tail[rows] + 1) % SEGMENTS
    tail[rows] = np.where(full & (following != head[rows]), following, tail[rows])
    fifo[:, tail[rows], rows] += found
