"""Chunks hold every row once, in order, and about the same work."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.chunks import FEWEST_ROWS, MOST_ROWS, plan, rows_of


@given(st.lists(st.floats(0, 30), max_size=300), st.integers(1, 64))
def test_every_row_is_in_one_chunk_in_order(seconds: list[float], cpus: int) -> None:
    chunks = plan(np.array(seconds), cpus)
    assert [row for chunk in chunks for row in chunk] == list(range(len(seconds)))
    assert all(len(chunk) for chunk in chunks)


def test_every_cpu_gets_work() -> None:
    assert len(plan(np.ones(12), 4)) == 4
    assert len(plan(np.ones(3), 4)) == 3


def test_chunks_are_wide_where_there_are_many_rows() -> None:
    assert len(plan(np.ones(600), 2)) == 4
    chunks = plan(np.ones(100_000), 8)
    assert {len(chunk) for chunk in chunks} <= {MOST_ROWS - 2, MOST_ROWS - 1, MOST_ROWS}
    assert all(len(chunk) >= FEWEST_ROWS for chunk in chunks)


def test_chunks_cost_about_the_same() -> None:
    seconds = np.random.default_rng(1).uniform(0.1, 2.0, 2000)
    cost = [seconds[list(chunk)].sum() for chunk in plan(seconds, 4)]
    assert max(cost) < 1.1 * min(cost)


def test_rows_of() -> None:
    columns = {"cpus": np.arange(5)}
    assert rows_of(columns, range(1, 3))["cpus"].tolist() == [1, 2]
