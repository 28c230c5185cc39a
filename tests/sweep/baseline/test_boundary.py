"""Where a line becomes unsafe."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.baseline.boundary import ABOVE, AT, BELOW, Boundary, boundary

LIMIT = 16.0


def found(rates: list[float], figures: list[float], limit: float = LIMIT) -> Boundary:
    return boundary(rates, figures, [figure >= limit for figure in figures], limit)


def test_no_unsafe_cell_and_no_safe_one() -> None:
    assert found([10, 20], [1, 2]) == Boundary(ABOVE, 20)
    assert found([10, 20], [16, 1]) == Boundary(BELOW, 10)
    assert found([10], [1]) == Boundary(ABOVE, 10)


def test_between_the_rates_where_the_figure_reaches_the_limit() -> None:
    assert found([100, 10_000], [12, 20]) == Boundary(AT, 1000)
    assert found([100, 1_000_000], [15, 19]) == Boundary(AT, 1000)
    assert found([1, 100, 10_000, 20_000], [0, 12, 20, 1]) == Boundary(AT, 1000)  # safe again above: no matter


def test_a_verdict_that_does_not_follow_the_figure_alone_stays_between_the_rates() -> None:
    assert boundary([10, 20], [5, 6], [False, True], 1000) == Boundary(AT, 20)
    assert boundary([10, 20], [5, 6], [False, True], 1) == Boundary(AT, 10)
    assert boundary([10, 20], [6, 5], [False, True], 16) == Boundary(AT, 20)


@given(
    st.floats(0.01, 15.9),
    st.floats(16, 1e5),
    st.floats(1, 1e5),
    st.floats(1.01, 100),
    st.floats(0.5, 2),
)
def test_it_lies_between_and_moves_against_the_figures(
    low: float, high: float, rate: float, step: float, drift: float
) -> None:
    one = found([rate, rate * step], [low, high])
    assert one.side == AT
    assert rate * 0.999 <= one.rate_per_s <= rate * step * 1.001
    other = found([rate, rate * step], [low * drift, high * drift])
    if other.side == AT:
        assert (other.rate_per_s - one.rate_per_s) * (drift - 1) <= one.rate_per_s * 1e-3  # kept to four digits


@given(st.sampled_from([AT, ABOVE, BELOW]), st.floats(1e-3, 1e9))
def test_written_and_read(side: str, rate: float) -> None:
    one = Boundary(side, float(f"{rate:.4g}"))  # type: ignore[arg-type]
    assert Boundary.read(one.written) == one


@pytest.mark.parametrize("said", ["30000", ">", "<3", ">1k", "", "=> 3"])
def test_what_is_no_rate_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        Boundary.read(said)


def test_moved_beyond_the_tolerance() -> None:
    was = Boundary(AT, 1000)
    assert not Boundary(AT, 1029).moved(was, 0.03)
    assert not Boundary(AT, 972).moved(was, 0.03)
    assert Boundary(AT, 1031).moved(was, 0.03)
    assert Boundary(AT, 960).moved(was, 0.03)
    assert Boundary(ABOVE, 1000).moved(was, 0.03)
    assert not Boundary(ABOVE, 1000).moved(Boundary(ABOVE, 1000), 0.0)


def test_worse_is_less_that_is_safe() -> None:
    ordered = [Boundary(BELOW, 3000), Boundary(AT, 1000), Boundary(AT, 2000), Boundary(ABOVE, 30)]
    for i, one in enumerate(ordered):
        assert [one.worse_than(other) for other in ordered] == [i < j for j in range(len(ordered))]
    assert math.isinf(ordered[-1].from_per_s)
