"""Callback columns: quantiles and means of what finished, and of what stands for the rest of a steady lane."""

from __future__ import annotations

import numpy as np
import pytest

from workers.slices.callbacks import columns

MS = 1e6


def spans(*rows: tuple[int, float, float]):
    return [(np.array([lane]), np.array([took_ms * MS]), np.array([end_ms * MS])) for lane, took_ms, end_ms in rows]


def of(finished, unfinished_ms=(0.0, 0.0), simulated_ms=(100.0, 100.0), steady_ms=(np.inf, np.inf)):
    arrays = (np.array(v) * MS for v in (unfinished_ms, (100.0, 100.0), simulated_ms, steady_ms))
    return columns(finished, *arrays)


def test_plain_quantiles():
    found = of(spans((1, 4, 10), (0, 9, 12), (1, 1, 20), (1, 2, 30), (1, 3, 40)))
    assert found["callback_count"].tolist() == [1, 4]
    assert found["callback_mean_ms"].tolist() == [9, 2.5]
    assert found["callback_p50_ms"].tolist() == [9, 3]  # sorted[floor(0.5 n)]
    assert found["callback_p99_ms"].tolist() == [9, 4]
    assert found["callback_max_ms"].tolist() == [9, 4]


def test_nothing_finished():
    found = of([], unfinished_ms=(7.0, 0.0))
    assert [found[name].tolist() for name in found] == [[0, 0], [0, 0], [0, 0], [0, 0], [7, 0]]


def test_a_steady_lane_goes_on_as_in_its_last_windows():
    """Lane 0 was steady from 20 to 40 ms and not simulated to 100: what ended in those 20 ms counts four times."""
    finished = spans((0, 10, 15), (0, 1, 25), (0, 2, 35), (1, 5, 50))
    found = of(finished, simulated_ms=(40.0, 0.0), steady_ms=(20.0, np.inf))
    assert found["callback_count"].tolist() == [9, 1]
    assert found["callback_mean_ms"][0] == pytest.approx((10 + 4 * 1 + 4 * 2) / 9)
    assert found["callback_p50_ms"].tolist() == [2, 5]
    assert found["callback_p99_ms"].tolist() == [10, 5]


def test_what_ended_as_a_lane_became_steady_stands_for_itself():
    found = of(spans((0, 10, 20), (0, 1, 25)), simulated_ms=(40.0, 0.0), steady_ms=(20.0, np.inf))
    assert found["callback_count"].tolist() == [1 + 4, 0]
