"""Soft lockups expected of stays: against a simulated process whose rates are known, limits, and monotony."""

from __future__ import annotations

from math import gamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.hazard import (
    LEAST_BEYOND_S,
    LOCKUP_S,
    LONG_STAY_S,
    MEAN_S,
    MEANS_S,
    PRIOR,
    SHAPE,
    SHAPES,
    Stays,
    _log_lasts,
    _posterior,
    hazard,
    log_beyond,
    longest_stay_s,
)


def stays_of(lengths_s: np.ndarray, unfinished_s: float, seen_s: float) -> Stays:
    """Those of one run, shapes (1,)."""
    figures = (len(lengths_s), np.sum(lengths_s), log_beyond(lengths_s).sum(), unfinished_s, seen_s)
    return Stays(*(np.array([float(v)]) for v in figures))


def of_one(lengths_s, unfinished_s: float, seen_s: float, exposure_s: float = 3600.0):
    return hazard(stays_of(np.asarray(lengths_s, float), unfinished_s, seen_s), np.array([exposure_s]))


def alternating(rng: np.random.Generator, begins_per_s: float, ends_per_s: float, until_s: float, shape: float = 1.0):
    """Stays of LONG_STAY_S and more, gaps between them exponential: lengths, and how long the last one was."""
    now, stays = 0.0, []
    while True:
        now += rng.exponential(1 / begins_per_s)
        length = LONG_STAY_S + rng.gamma(shape, 1 / (shape * ends_per_s))
        if now + length >= until_s:
            return np.array(stays), max(until_s - now, 0.0)
        stays.append(length)
        now += length


@pytest.mark.parametrize(
    ("begins_per_s", "ends_per_s", "shape"),
    [(2.0, 0.2, 1.0), (0.5, 0.3, 1.0), (5.0, 0.1, 1.0), (2.0, 0.12, 2.0), (1.0, 0.06, 16.0), (1.0, 0.3, 0.5)],
)
def test_a_long_run_of_a_known_process_gives_its_rate(begins_per_s, ends_per_s, shape):
    """The mean time to a stay of 20 s, by simulating the process until one comes."""
    rng = np.random.default_rng(0)
    stays, unfinished_s = alternating(rng, begins_per_s, ends_per_s, 4_000.0, shape)
    found = of_one(stays, unfinished_s, 4_000.0)
    waits = []
    for _ in range(2_000):
        now = 0.0
        while True:
            now += rng.exponential(1 / begins_per_s)
            length = LONG_STAY_S + rng.gamma(shape, 1 / (shape * ends_per_s))
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
    found = of_one(stays, unfinished_s, 8_000.0, exposure_s)
    locked = []
    for _ in range(3_000):
        lengths, last_s = alternating(rng, begins_per_s, ends_per_s, exposure_s)
        locked.append(max(lengths.max(initial=0.0), last_s) >= LOCKUP_S)
    assert found.probability[0] == pytest.approx(np.mean(locked), abs=0.06)


def test_no_long_stay_no_lockup():
    assert [float(v[0]) for v in of_one([], LONG_STAY_S / 2, 3)] == [0, 0, 0, 0]


def test_nothing_can_happen_within_less_than_a_lockup():
    assert of_one([0.5, 0.5, 1.0], 0.5, 3, exposure_s=19.9).probability[0] == 0


def test_a_run_inside_one_stay_says_much_but_not_all():
    found = of_one([], 2.95, 3, exposure_s=22)
    assert 0.4 < found.probability[0] < 0.95
    assert found.probability[0] == pytest.approx(0.618, abs=0.005), "what is likely before a stay is seen"


@given(
    lengths_s=st.lists(st.floats(LONG_STAY_S, 20), max_size=200),
    unfinished_s=st.floats(0, 20),
    gaps_s=st.floats(0, 20),
    exposure_s=st.floats(0.001, 1e6),
)
def test_figures_are_in_order(lengths_s, unfinished_s, gaps_s, exposure_s):
    seen_s = sum(lengths_s) + unfinished_s + gaps_s + 1e-3
    found = of_one(lengths_s, unfinished_s, seen_s, exposure_s)
    assert all(np.isfinite(v).all() for v in found)
    assert 0 <= found.low_per_hour[0] <= found.per_hour[0] <= found.high_per_hour[0] <= 3600 / LOCKUP_S + 1e-9
    assert 0 <= found.probability[0] <= 1
    longer = of_one(lengths_s, unfinished_s, seen_s, 2 * exposure_s)
    assert longer.probability[0] >= found.probability[0] - 1e-12


def test_rows_do_not_see_one_another():
    columns = [np.array(v, float) for v in ((3, 0, 1), (1.5, 0, 0.4), (-3, 0, -1.2), (0, 2, 0), (3, 3, 3))]
    exposure_s = np.array([3600.0, 22.0, 100.0])
    together = hazard(Stays(*columns), exposure_s)
    for row in range(3):
        alone = hazard(Stays(*(c[row : row + 1] for c in columns)), exposure_s[row : row + 1])
        assert [v[row] for v in together] == [v[0] for v in alone]


def test_the_longest_stay_grows_with_the_stays_seen():
    runs = (([], 0.0), ([0.2] * 30, 0.0), ([2.0] * 3, 0.0), ([], 3.0))
    each = [stays_of(np.array(lengths_s), unfinished_s, 10.0) for lengths_s, unfinished_s in runs]
    found = longest_stay_s(Stays(*(np.concatenate(values) for values in zip(*each, strict=True))), 22.0)
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[3] > 15


def test_stays_that_all_last_as_long_end_before_a_lockup_and_stays_that_end_by_chance_need_not():
    """Of the same number and mean."""
    regular, by_chance = [5.0, 5.5, 6.0, 5.2, 5.8], [0.6, 1.4, 3.5, 7.0, 15.0]
    assert sum(regular) == pytest.approx(sum(by_chance))
    of_regular, of_chance = (of_one(lengths_s, 0.0, 60.0) for lengths_s in (regular, by_chance))
    assert of_regular.per_hour[0] < 0.1 * of_chance.per_hour[0]
    longest_s = [longest_stay_s(stays_of(np.array(s), 0.0, 60.0), 600.0)[0] for s in (regular, by_chance)]
    assert longest_s[0] < 12 < 20 < longest_s[1]


def test_the_longest_stay_is_that_of_a_process_of_regular_stays():
    rng = np.random.default_rng(2)
    stays, unfinished_s = alternating(rng, 0.5, 0.5, 2_000.0, shape=8)
    found = longest_stay_s(stays_of(stays, unfinished_s, 2_000.0), 60.0)[0]
    longest_s = []
    for _ in range(1_000):
        lengths_s, last_s = alternating(rng, 0.5, 0.5, 60.0, shape=8)
        longest_s.append(max(lengths_s.max(initial=0.0), last_s))
    assert found == pytest.approx(np.median(longest_s), rel=0.1)


def test_what_is_likely_after_some_stays_is_what_their_density_says():
    """The density of a gamma distribution at each stay, and what it leaves beyond the unfinished one, by adding up."""
    lengths_s, unfinished_s = np.array([0.4, 0.9, 1.3]), 0.7
    steps_s = np.geomspace(1e-6, 400.0, 40_001)
    expected = []
    for mean_s, shape in zip(MEAN_S, SHAPE, strict=True):
        if not 0.2 < mean_s < 5:
            continue

        def density(x, mean_s=mean_s, shape=shape):
            rate = shape / mean_s
            return rate**shape * x ** (shape - 1) * np.exp(-rate * x) / gamma(shape)

        beyond = steps_s[steps_s >= unfinished_s - LONG_STAY_S]
        likelihood = density(lengths_s - LONG_STAY_S).prod() * np.trapezoid(density(beyond), beyond)
        expected.append(likelihood * mean_s**-PRIOR / max(shape, 1 / shape))
    weight = _posterior(stays_of(lengths_s, unfinished_s, 5.0))[0, (MEAN_S > 0.2) & (MEAN_S < 5)]
    assert weight / weight.sum() == pytest.approx(np.array(expected) / np.sum(expected), rel=0.01, abs=1e-9)


def test_a_stay_is_not_known_to_less_than_a_callback():
    assert log_beyond(LONG_STAY_S) == log_beyond(LONG_STAY_S + LEAST_BEYOND_S / 2) == pytest.approx(np.log(0.01))


def test_many_rows_are_the_same_one_by_one():
    rng = np.random.default_rng(4)
    each = [stays_of(rng.uniform(0.1, 5, rng.integers(0, 6)), rng.uniform(0, 3), 40.0) for _ in range(1_201)]
    together = Stays(*(np.concatenate(values) for values in zip(*each, strict=True)))
    found = hazard(together, np.full(1_201, 3600.0))
    for row in (0, 499, 500, 700, 1_200):
        assert [v[row] for v in found] == [v[0] for v in hazard(each[row], np.array([3600.0]))]


def test_how_long_stays_last_is_a_gamma_distribution():
    time_s = np.array([0.0, 0.3, 2.0, 20.0])
    lasts = np.exp(_log_lasts(time_s[:, None])).reshape(len(time_s), len(SHAPES), len(MEANS_S))
    rng = np.random.default_rng(3)
    at = int(np.argmin(np.abs(MEANS_S - 2.0)))
    for i, shape in enumerate(SHAPES):
        drawn_s = rng.gamma(shape, MEANS_S[at] / shape, 40_000)
        assert lasts[:, i, at] == pytest.approx([(drawn_s >= t).mean() for t in time_s], abs=0.01)
    assert (np.diff(lasts, axis=0) <= 1e-12).all()
    hours = _log_lasts(np.array([3.6e5]))
    assert np.isfinite(hours).all(), "however long"


def test_the_support_is_wide():
    assert MEANS_S[-1] > 100 * LOCKUP_S
    assert MEANS_S[0] < 0.1 * LONG_STAY_S
