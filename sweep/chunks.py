"""Cuts scenarios into chunks, each a task of one worker. All numbers about the size of a chunk are here."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

TARGET_S = 2.0
"""Estimated run time of a chunk: Ray's share is 1 % at 0.5 s, and more than 5 s show progress late and lose more."""

FEWEST_ROWS = 128
"""A chunk of fewer costs noticeably more a scenario: the lanes of a batch share numpy's cost per call."""

ALONE_S = 20.0
"""Estimated run time of a chunk's scenarios that share nothing: where those are many, chunks have fewer rows."""

MOST_ROWS = 4096
"""Bounds what a worker holds in memory, whatever the estimate says."""


def cut(seconds: np.ndarray, alone: np.ndarray, cpus: int) -> list[range]:
    """Rows of each chunk, in order, all of them once; chunks of about equal cost.

    ``seconds``: estimated run time of each scenario, shape (rows,); ``alone``: the part of it that other scenarios of
    a chunk do not share. Every CPU gets a chunk as long as there are rows, and two where they stay above FEWEST_ROWS;
    chunks of TARGET_S where there are many, and of ALONE_S where much of that time is spent alone.
    """
    rows = len(seconds)
    if not rows:
        return []
    done_s = np.cumsum(np.maximum(seconds, 1e-9))
    wide = min(max(2 * cpus, int(done_s[-1] / TARGET_S)), rows // FEWEST_ROWS)
    wide -= wide % cpus if wide > cpus else 0  # so that no CPU is left without one at the end
    number = max(min(cpus, rows), wide, min(int(alone.sum() / ALONE_S), rows), -(-rows // MOST_ROWS))
    edges = np.searchsorted(done_s, done_s[-1] * np.arange(1, number) / number, side="left") + 1
    bounds = np.unique(np.clip([0, *edges, rows], 0, rows)).tolist()
    return [part for first, after in pairwise(bounds) for part in _at_most(first, after)]


def _at_most(first: int, after: int) -> list[range]:
    """A range in pieces of MOST_ROWS and less: many cheap scenarios may make one chunk of average cost."""
    return [range(at, min(at + MOST_ROWS, after)) for at in range(first, after, MOST_ROWS)]
