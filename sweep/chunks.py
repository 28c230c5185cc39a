"""Cuts a table of scenarios into chunks, each a task of one worker."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from workers.schema import Columns

FEWEST_ROWS = 128
"""A chunk of fewer costs noticeably more a scenario: the lanes of a batch share numpy's cost per call."""

MOST_ROWS = 512
"""A chunk of more costs no less a scenario, but shows progress later and loses more with its worker."""


def plan(seconds: np.ndarray, cpus: int) -> list[range]:
    """Rows of each chunk, in input order, all of them once; chunks of about equal cost.

    ``seconds``: estimated run time of each scenario, shape (rows,). Every CPU gets a chunk as long as there are
    rows, and two where they stay above FEWEST_ROWS; chunks of MOST_ROWS on average where there are many.
    """
    rows = len(seconds)
    if not rows:
        return []
    number = max(min(cpus, rows), min(2 * cpus, rows // FEWEST_ROWS), -(-rows // MOST_ROWS))
    done_s = np.cumsum(np.maximum(seconds, 1e-9))
    edges = np.searchsorted(done_s, done_s[-1] * np.arange(1, number) / number, side="left") + 1
    bounds = np.unique(np.clip([0, *edges, rows], 0, rows)).tolist()
    return [range(first, after) for first, after in pairwise(bounds)]


def rows_of(columns: Columns, rows: range) -> Columns:
    """The rows of one chunk."""
    return {name: values[rows.start : rows.stop] for name, values in columns.items()}
