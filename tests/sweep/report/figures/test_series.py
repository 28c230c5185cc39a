"""Traces over time: no peak is lost, the lock's share is a mean over time."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sweep.report.figures.series import LOCK_SPANS, POINTS, trace


def series(samples: int, held: np.ndarray | None = None) -> pl.DataFrame:
    depot = np.zeros(samples, int)
    depot[samples // 3] = 77
    shares = np.zeros(samples) if held is None else held
    times_ms = np.linspace(1500 / samples, 1500, samples)
    return pl.DataFrame({"time_ms": times_ms, "depot_magazines": depot, "rbtree_lock_held_fraction": shares})


@pytest.mark.parametrize("samples", [1, 7, POINTS, 5000])
def test_a_peak_of_one_sample_is_drawn_at_its_time(samples: int) -> None:
    time_s, value = trace(series(samples), "depot_magazines")
    assert len(time_s) == len(value) <= POINTS
    assert value.max() == 77
    assert time_s[value.argmax()] == pytest.approx(1.5 * (samples // 3 + 1) / samples, abs=1.5 / POINTS)
    assert time_s[-1] == 1.5


def test_the_lock_is_held_for_a_share_of_the_time() -> None:
    held = np.where(np.arange(3000) < 1500, 0.5, 0.0)
    time_s, share = trace(series(3000, held), "lock_held")
    assert len(share) == LOCK_SPANS
    assert share[time_s < 0.7] == pytest.approx(0.5)
    assert share[time_s > 0.8] == pytest.approx(0.0)


def test_a_hold_that_outlasts_its_slice_is_no_more_than_all_of_the_time() -> None:
    assert trace(series(300, np.full(300, 3.0)), "lock_held")[1].max() == 1.0
