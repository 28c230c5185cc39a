"""Chunks hold every row once, and about the same work."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.execution.chunks import ALONE_S, FEWEST_ROWS, MOST_ROWS, TARGET_S, cut


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=300), st.integers(1, 64))
def test_every_row_is_in_one_chunk(rows: list[tuple[float, bool]], cpus: int) -> None:
    seconds, alone = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], bool)
    chunks = [chunk.tolist() for chunk in cut(seconds, alone, cpus)]
    assert [row for chunk in chunks for row in chunk] == [*np.flatnonzero(alone), *np.flatnonzero(~alone)]
    assert all(len({alone[row] for row in chunk}) == 1 for chunk in chunks)


def together(seconds: np.ndarray, cpus: int) -> list[np.ndarray]:
    """Chunks of scenarios that share their batch."""
    return cut(seconds, np.zeros(len(seconds), bool), cpus)


def test_every_cpu_gets_work() -> None:
    assert len(together(np.ones(12), 4)) == 4
    assert len(together(np.ones(3), 4)) == 3


def test_chunks_are_wide_where_there_are_many_rows() -> None:
    assert len(together(np.ones(600), 2)) == 4
    chunks = together(np.ones(100_000), 8)
    assert all(FEWEST_ROWS <= len(chunk) < FEWEST_ROWS + 2 for chunk in chunks)


def test_chunks_take_about_the_time_they_should() -> None:
    chunks = together(np.full(100_000, TARGET_S / 1000), 2)
    assert {len(chunk) for chunk in chunks} <= {999, 1000, 1001}


def test_no_chunk_holds_more_than_memory_is_meant_for() -> None:
    seconds = np.r_[np.full(50_000, 1e-6), np.full(100, 1.0)]
    assert max(len(chunk) for chunk in together(seconds, 2)) == MOST_ROWS


def test_chunks_cost_about_the_same() -> None:
    seconds = np.random.default_rng(1).uniform(0.1, 2.0, 2000)
    cost = [seconds[chunk].sum() for chunk in together(seconds, 4)]
    assert max(cost) < 1.2 * min(cost)


def test_scenarios_that_share_nothing_come_first_in_few_a_chunk() -> None:
    alone = np.arange(480) >= 300
    chunks = cut(np.where(alone, 1.0, 0.125), alone, 2)
    assert [len(chunk) for chunk in chunks] == [23, 22] * 4 + [150, 150]
    assert sum(alone[chunk].all() for chunk in chunks) == 180 // ALONE_S - 1  # a whole number for two CPUs
    assert len(cut(np.full(3, 1000.0), np.full(3, True), 2)) == 2


@given(st.lists(st.tuples(st.floats(0.5, 30), st.integers(0, 6)), min_size=1, max_size=100), st.integers(1, 16))
def test_rows_that_cost_nothing_stay_with_the_one_before(groups: list[tuple[float, int]], cpus: int) -> None:
    seconds = np.concatenate([np.r_[first, np.zeros(more)] for first, more in groups])
    chunks = cut(seconds, np.full(len(seconds), True), cpus)
    assert all(seconds[chunk[0]] > 0 for chunk in chunks)
