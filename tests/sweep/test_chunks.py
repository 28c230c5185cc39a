"""Chunks: every row once, in order, within the limits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.chunks import LONGEST_S, MAX_ROWS, SHORTEST_S, plan, rows_of


@given(st.lists(st.floats(0, 10), max_size=300), st.integers(1, 64))
def test_every_row_once_in_order_and_no_chunk_too_long(seconds: list[float], cpus: int) -> None:
    chunks = plan(np.array(seconds), cpus)
    assert [row for chunk in chunks for row in chunk] == list(range(len(seconds)))
    assert all(len(chunk) == 1 or sum(seconds[c] for c in chunk) <= LONGEST_S for chunk in chunks)


def test_cheap_rows_fill_chunks_and_dear_ones_stand_alone() -> None:
    assert [len(chunk) for chunk in plan(np.full(3000, 1e-5), 2)] == [MAX_ROWS, MAX_ROWS, 3000 - 2 * MAX_ROWS]
    assert [len(chunk) for chunk in plan(np.full(3, 60.0), 2)] == [1, 1, 1]


def test_few_cheap_rows_still_make_tasks_worth_their_overhead() -> None:
    seconds = np.full(100, 0.01)
    assert all(seconds[list(chunk)].sum() >= SHORTEST_S - 0.011 for chunk in plan(seconds, 64)[:-1])


def test_rows_of_a_chunk() -> None:
    columns = {"id": np.array(["a", "b", "c"], object), "cpus": np.array([1, 2, 3])}
    part = rows_of(columns, range(1, 3))
    assert {name: values.tolist() for name, values in part.items()} == {"id": ["b", "c"], "cpus": [2, 3]}
