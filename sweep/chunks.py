"""Cuts a table of scenarios into chunks, each a task of a second or so."""

from __future__ import annotations

import numpy as np

from workers.schema import Columns

MAX_ROWS = 1024
"""Lanes of one chunk: more make no scenario cheaper, but hold more memory."""

SHORTEST_S, LONGEST_S = 0.5, 5.0
TASKS_PER_CPU = 8
"""Tasks each CPU should get at least, so that the last ones do not leave others waiting."""


LANE_SECONDS_PER_S = 1000.0
"""Virtual time of one scenario that the model simulates in a second."""


def estimate_seconds(columns: Columns) -> np.ndarray:
    """Run time of each scenario in its batch, in seconds, shape (rows,)."""
    return columns["horizon_s"] / LANE_SECONDS_PER_S


def plan(seconds: np.ndarray, cpus: int) -> list[range]:
    """Rows of each chunk, in input order, all of them once.

    ``seconds``: estimated run time of each scenario, shape (rows,). A chunk holds at most MAX_ROWS rows and, but
    for a single dearer row, what takes LONGEST_S; less where ``cpus`` would otherwise run short of tasks.
    """
    target_s = float(np.clip(seconds.sum() / (TASKS_PER_CPU * cpus), SHORTEST_S, LONGEST_S))
    chunks, first, spent_s = [], 0, 0.0
    for row, cost_s in enumerate(seconds.tolist()):
        if row > first and (spent_s + cost_s > target_s or row - first == MAX_ROWS):
            chunks.append(range(first, row))
            first, spent_s = row, 0.0
        spent_s += cost_s
    if len(seconds):
        chunks.append(range(first, len(seconds)))
    return chunks


def rows_of(columns: Columns, rows: range) -> Columns:
    """The rows of one chunk."""
    return {name: values[rows.start : rows.stop] for name, values in columns.items()}
