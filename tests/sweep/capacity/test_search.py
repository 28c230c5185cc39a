"""The headroom search: boundaries planted anywhere, bands, none at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.capacity.search import LADDER, TOLERANCE, Headroom, HeadroomSearch, factor

LEAST, MOST = factor(LADDER[0]), factor(LADDER[-1])


def searched(*lines: Callable[[float], bool | None]) -> tuple[list[Headroom], int]:
    """What is found of lines that are safe where these say so, or whose runs fail (None), and in how many rounds."""
    search, rounds = HeadroomSearch([LADDER] * len(lines)), 0
    while asked := search.ask():
        rounds += 1
        assert len(set(asked)) == len(asked)
        search.tell((line, step, lines[line](factor(step))) for line, step in asked)
    return [search.answer(line) for line in range(len(lines))], rounds


@given(at=st.lists(st.floats(LEAST, MOST), min_size=1, max_size=5))
def test_a_planted_boundary_is_found_within_the_tolerance(at: list[float]) -> None:
    found, _ = searched(*((lambda x, at=one: x <= at) for one in at))
    for one, headroom in zip(at, found, strict=True):
        assert headroom.safe is not None
        assert headroom.safe <= one
        assert headroom.bands == ()
        if headroom.unsafe is not None:
            assert one < headroom.unsafe
            assert headroom.unsafe / headroom.safe == pytest.approx(1 + TOLERANCE)


def test_all_lines_share_two_wide_rounds() -> None:
    _, rounds = searched(*((lambda x, at=at: x < at) for at in (0.3, 1.0, 7.0, 100.0, 0.0)))
    assert rounds == 2


def test_always_safe_and_never_safe_are_not_searched_any_further() -> None:
    (always, never), rounds = searched(lambda x: True, lambda x: False)
    assert rounds == 1
    assert always == Headroom(MOST, None, MOST, ())
    assert never == Headroom(None, LEAST, MOST, ())


def test_what_is_safe_above_an_unsafe_band_does_not_count() -> None:
    (found,), _ = searched(lambda x: not 1.5 <= x <= 5)
    assert found.safe is not None
    assert 1.5 / (1 + TOLERANCE) <= found.safe < 1.5 <= (found.unsafe or 0) < 1.5 * (1 + TOLERANCE)
    assert found.bands == ((8.0, 16.0),)


def test_a_band_that_shows_up_between_is_taken_as_the_boundary() -> None:
    """The ladder sees x4 unsafe; between x2 and x4 a first band is unsafe, and safe again above."""
    (found,), _ = searched(lambda x: x < 2.2 or 2.7 < x < 3.9)
    assert found.unsafe == factor(10)
    assert found.safe == factor(9)
    assert found.bands == ((factor(12), factor(15)),)


def test_a_run_that_failed_ends_what_is_known_and_is_not_unsafe() -> None:
    (fails, both, first, above), _ = searched(
        lambda x: True if x <= 3 else None,
        lambda x: None if 3 < x <= 8 else x < 8,
        lambda x: None if x == LEAST else x != 4,
        lambda x: None if x == MOST else x < 4,
    )
    assert fails == Headroom(factor(12), None, MOST, (), failed=factor(13))
    assert both == Headroom(factor(12), MOST, MOST, (), failed=factor(13))
    assert first == Headroom(None, 4.0, MOST, ((8.0, 16.0),), failed=LEAST)
    assert above == Headroom(factor(15), 4.0, MOST, ())
