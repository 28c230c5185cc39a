"""Cuts scenarios into chunks, each a task of one worker. All numbers about the size of a chunk are here."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

TARGET_S = 2.0
"""Estimated run time of a chunk: Ray's share is 1 % at 0.5 s, and more than 5 s show progress late and lose more."""

FEWEST_ROWS = 128
"""A chunk of fewer costs noticeably more a scenario: the lanes of a batch share numpy's cost per call."""

ALONE_S = 20.0
"""The same for scenarios that share nothing: they are dear, and their chunks few of them."""

MOST_ROWS = 4096
"""Bounds what a worker holds in memory, whatever the estimate says."""


def cut(seconds: np.ndarray, alone: np.ndarray, cpus: int) -> list[np.ndarray]:
    """Row numbers of each chunk, each row once, in chunks of about equal cost.

    ``seconds``: estimated run time of each scenario, ``alone``: whether it shares little of it with others of its
    chunk; shapes (rows,). Those that share nothing come first, so that the sweep does not end with them, in chunks of
    ALONE_S; then the others, in chunks of TARGET_S and FEWEST_ROWS. Every CPU gets a chunk as long as there are rows.
    A row of 0 s stays with the last one before it that costs something, as it needs no run beside that one.
    """
    dear, cheap = np.flatnonzero(alone), np.flatnonzero(~alone)
    return _even(dear, seconds[dear], cpus, ALONE_S, 1) + _even(cheap, seconds[cheap], cpus, TARGET_S, FEWEST_ROWS)


def _even(numbers: np.ndarray, seconds: np.ndarray, cpus: int, target_s: float, fewest: int) -> list[np.ndarray]:
    """``numbers`` in pieces: two a CPU where they stay above ``fewest`` rows, of ``target_s`` where there are many."""
    rows = len(numbers)
    if not rows:
        return []
    done_s = np.cumsum(seconds)
    wide = min(max(2 * cpus, int(done_s[-1] / target_s)), rows // fewest)
    wide -= wide % cpus if wide > cpus else 0  # so that no CPU is left without one at the end
    number = max(min(cpus, rows), wide, -(-rows // MOST_ROWS))
    reached = np.searchsorted(done_s, done_s[-1] * np.arange(1, number) / number, side="left")
    edges = np.searchsorted(done_s, done_s[reached], side="right")
    bounds = np.unique([0, *edges, rows]).tolist()
    # many cheap scenarios may make one chunk of average cost
    return [numbers[at : min(at + MOST_ROWS, b)] for a, b in pairwise(bounds) for at in range(a, b, MOST_ROWS)]
