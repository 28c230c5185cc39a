"""Soft lockups expected of stays: against a simulated process whose rates are known, limits, and monotony."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.hazard import ENDS_PER_S, LOCKUP_S, LONG_STAY_S, hazard, longest_stay_s


def of_one(ended: float, ended_s: float, unfinished_s: float, simulated_s: float, exposure_s: float = 3600.0):
    return hazard(*(np.array([float(v)]) for v in (ended, ended_s, unfinished_s, simulated_s, exposure_s)))


def alternating(rng: np.random.Generator, begins_per_s: float, ends_per_s: float, until_s: float):
    """Stays of LONG_STAY_S and more, gaps between them exponential: lengths and ends, and how long the last one was."""
    now, stays = 0.0, []
    while True:
        now += rng.exponential(1 / begins_per_s)
        length = LONG_STAY_S + rng.exponential(1 / ends_per_s)
        if now + length >= until_s:
            return np.array(stays), max(until_s - now, 0.0)
        stays.append(length)
        now += length


@pytest.mark.parametrize(("begins_per_s", "ends_per_s"), [(2.0, 0.2), (0.5, 0.3), (5.0, 0.1)])
def test_a_long_run_of_a_known_process_gives_its_rate(begins_per_s, ends_per_s):
    """The mean time to a stay of 20 s, by simulating the process until one comes."""
    rng = np.random.default_rng(0)
    stays, unfinished_s = alternating(rng, begins_per_s, ends_per_s, 4_000.0)
    found = of_one(len(stays), stays.sum(), unfinished_s, 4_000.0)
    waits = []
    for _ in range(2_000):
        now = 0.0
        while True:
            now += rng.exponential(1 / begins_per_s)
            length = LONG_STAY_S + rng.exponential(1 / ends_per_s)
            if length >= LOCKUP_S:
                break
            now += length
        waits.append(now + LOCKUP_S)
    per_hour = 3600.0 / np.mean(waits)
    assert found.per_hour[0] == pytest.approx(per_hour, rel=0.25)
    assert found.low_per_hour[0] <= found.per_hour[0] <= found.high_per_hour[0]


def test_the_probability_is_that_of_the_process():
    rng = np.random.default_rng(1)
    begins_per_s, ends_per_s, exposure_s = 1.0, 0.15, 60.0
    stays, unfinished_s = alternating(rng, begins_per_s, ends_per_s, 8_000.0)
    found = of_one(len(stays), stays.sum(), unfinished_s, 8_000.0, exposure_s)
    locked = []
    for _ in range(3_000):
        lengths, last_s = alternating(rng, begins_per_s, ends_per_s, exposure_s)
        locked.append(max(lengths.max(initial=0.0), last_s) >= LOCKUP_S)
    assert found.probability[0] == pytest.approx(np.mean(locked), abs=0.06)


def test_no_long_stay_no_lockup():
    assert [float(v[0]) for v in of_one(0, 0, LONG_STAY_S / 2, 3)] == [0, 0, 0, 0]


def test_nothing_can_happen_within_less_than_a_lockup():
    assert of_one(3, 2.0, 0.5, 3, exposure_s=19.9).probability[0] == 0


def test_a_run_inside_one_stay_says_much_but_not_all():
    found = of_one(0, 0, 2.95, 3, exposure_s=22)
    assert 0.4 < found.probability[0] < 0.95


@given(
    ended=st.integers(0, 200),
    mean_s=st.floats(LONG_STAY_S, 20),
    unfinished_s=st.floats(0, 20),
    gaps_s=st.floats(0, 20),
    exposure_s=st.floats(0.001, 1e6),
)
def test_figures_are_in_order(ended, mean_s, unfinished_s, gaps_s, exposure_s):
    ended_s = ended * mean_s
    found = of_one(ended, ended_s, unfinished_s, ended_s + unfinished_s + gaps_s + 1e-3, exposure_s)
    assert all(np.isfinite(v).all() for v in found)
    assert 0 <= found.low_per_hour[0] <= found.high_per_hour[0] <= 3600 / LOCKUP_S + 1e-9
    assert 0 <= found.per_hour[0] <= found.high_per_hour[0]
    assert 0 <= found.probability[0] <= 1
    longer = of_one(ended, ended_s, unfinished_s, ended_s + unfinished_s + gaps_s + 1e-3, 2 * exposure_s)
    assert longer.probability[0] >= found.probability[0] - 1e-12


def test_rows_do_not_see_one_another():
    columns = [np.array(v, float) for v in ((3, 0, 1), (1.5, 0, 0.4), (0, 2, 0), (3, 3, 3), (3600, 22, 100))]
    together = hazard(*columns)
    for row in range(3):
        alone = hazard(*(c[row : row + 1] for c in columns))
        assert [v[row] for v in together] == [v[0] for v in alone]


def test_the_longest_stay_grows_with_the_stays_seen():
    ended = np.array([0.0, 30.0, 3.0, 0.0])
    ended_s = np.array([0.0, 6.0, 6.0, 0.0])
    unfinished_s = np.array([0.0, 0.0, 0.0, 3.0])
    found = longest_stay_s(ended, ended_s, unfinished_s, np.full(4, 10.0), 22.0)
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[3] > 15


def test_the_support_is_wide():
    assert ENDS_PER_S[0] * LOCKUP_S < 0.01
    assert ENDS_PER_S[-1] * LONG_STAY_S > 10
