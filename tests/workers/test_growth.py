"""Counters of a load that keeps its pace grow up to its horizon by rates, as records do, or in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import growth


def test_time_doubles():
    assert growth.doublings(1.0, 2.0, 8.0) == 2
    assert growth.doublings(np.array([2.0, 1.0]), np.array([4.0, 4.0]), 16.0).tolist() == [2, 1]


def test_records_of_a_stationary_sequence_grow_by_as_much_with_each_doubling_of_time():
    """What the law is about: new minima of 20,000 random sequences, from the 16th to the 32nd, 64th and 128th."""
    lowest = np.minimum.accumulate(np.random.default_rng(1).random((20_000, 128)), axis=1)
    records = (np.diff(lowest, axis=1) < 0).cumsum(1)
    grown = [float((records[:, 2 * t - 2] - records[:, t - 2]).mean()) for t in (16, 32, 64)]
    assert grown == pytest.approx([np.log(2)] * 3, rel=0.04)


@pytest.mark.parametrize(
    ("before", "more", "gained"),
    [
        (100, 100, 300),  # as many with each of three doublings
        (100, 200, 2_800),  # a rate: 400, 800, 1,600
        (100, 150, 225 + 337.5 + 506.25),
        (100, 100 + 1e-13, 300),
        (100, 40, 120),  # less than records: it stays at that
        (100, 900, 12_600),  # more than a rate: 1,800, 3,600, 7,200
        (0, 50, 700),
        (0, 0, 0),
        (70, 0, 0),
    ],
)
def test_what_misses_count_goes_on_as_a_power_of_time(before, more, gained):
    assert growth.power(before, more, (1.0, 2.0, 4.0), 32.0) == pytest.approx(gained)


@given(st.floats(1.5, 3.0), st.floats(0.0, 1.0), st.floats(1.1, 100.0))
def test_powers_of_time_are_foretold_exactly(ratio, exponent, later):
    """t ** exponent (its logarithm where that is 0), seen at 1, ratio and ratio ** 2."""

    def count(t):
        return np.log(t) if exponent < 1e-3 else t**exponent

    moments = (1.0, ratio, ratio**2)
    before, more, gained = np.diff([count(t) for t in (*moments, later * ratio**2)])
    assert growth.power(before, more, moments, later * ratio**2) == pytest.approx(gained, rel=1e-2)


@given(st.floats(1.8, 2.2), st.floats(1.8, 2.2))
def test_moments_need_not_be_each_twice_as_late(first, second):
    """Rates and records are foretold exactly: in slices the moments are those of the slices."""
    moments = (1.0, first, first * second)
    for count in (lambda t: t, np.log):
        before, more, gained = np.diff([count(t) for t in (*moments, 60.0)])
        assert growth.power(before, more, moments, 60.0) == pytest.approx(gained, rel=1e-6)


def test_lanes_are_foretold_each_for_itself():
    before, more = np.array([100.0, 100.0, 0.0]), np.array([100.0, 200.0, 0.0])
    assert growth.power(before, more, (1.0, 2.0, 4.0), np.array([32.0, 8.0, 16.0])) == pytest.approx([300, 400, 0])


def test_each_counter_grows_by_its_law():
    missed = {"wait_ns": 0, "held_ns": 0, "walk_steps": 0}
    quarter = {"now_ns": 1.0, "acquisitions": 10, **missed}
    half = {"now_ns": 2.0, "ops": 100, "acquisitions": 50, "erases": 20, "inserts": 30, "nodes_peak": 1_000, **missed}
    now = {"now_ns": 4.0, "ops": 300, "acquisitions": 90, "erases": 40, "inserts": 54, "nodes_peak": 1_006, **missed}
    frees = growth.ahead(quarter, half, now, 16.0)
    same = {"ops": 1_200, "acquisitions": 80, "nodes_peak": 12, **missed}
    assert frees == pytest.approx(same | {"erases": 120, "inserts": 120, "nodes": 0})
    goes_round = growth.ahead(quarter, half | {"erases": 40}, now, 16.0)
    assert goes_round == pytest.approx(same | {"erases": 0, "inserts": 48, "nodes": 48})
