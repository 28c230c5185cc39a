"""IOVAs from map to unmap: pieces, overlaps, what was before and what is left."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.workload.live import Live
from sweep.workload.trace import Events

PAGE = 4096
M, U = False, True


def live(*events: tuple[int, int, bool, int, int]) -> Live:
    """After events of (time, CPU, unmap, first page, pages)."""
    found = Live()
    columns = [np.array(column) for column in zip(*events, strict=True)]
    found.add(Events(columns[0], columns[1], columns[2], columns[3] * PAGE, columns[4] * PAGE))
    return found


def test_an_iova_of_several_pieces_is_one() -> None:
    found = live((10, 0, M, 100, 2), (11, 0, M, 102, 1), (12, 0, M, 103, 5), (50, 1, U, 100, 8))
    assert (found.matched, found.split, found.lifetimes_ns, found.domains) == (1, 1, 40, 1)
    assert found.moves == {(0, 1): 1}
    assert found.left(60) == (0, 0)


def test_neighbours_are_not_pieces() -> None:
    found = live((10, 0, M, 102, 1), (11, 0, M, 100, 2), (50, 0, U, 100, 2), (60, 0, U, 102, 1))
    assert (found.matched, found.split, found.lifetimes_ns) == (2, 0, 39 + 50)


def test_pieces_that_are_left_count_once() -> None:
    before = ((1, 0, M, 1, 1), (2, 0, M, 2, 1), (3, 0, U, 1, 2))  # so there are such IOVAs
    found = live(*before, (10, 0, M, 8, 2), (11, 0, M, 10, 2), (12, 1, M, 20, 1))
    assert found.left(110) == (2, 100 + 98)


def test_unmaps_of_what_was_mapped_before() -> None:
    found = live((10, 0, U, 5, 1), (20, 0, M, 5, 1), (30, 0, U, 5, 1))
    assert (list(found.unknown_ns), found.matched, found.domains) == ([10], 1, 1)


def test_the_same_address_twice_proves_two_domains() -> None:
    found = live((1, 0, M, 5, 1), (2, 1, M, 5, 1), (3, 0, U, 5, 1), (4, 1, U, 5, 1))
    assert (found.domains, found.matched, found.lifetimes_ns) == (2, 2, 4)
    assert found.moves == {(0, 0): 1, (1, 1): 1}
    assert not found.pieces
    assert not found.below


def test_so_do_ranges_that_overlap() -> None:
    assert live((1, 0, M, 5, 4), (2, 1, M, 7, 4)).domains == 2
    assert live((1, 0, M, 5, 4), (2, 1, M, 7, 1), (3, 1, M, 7, 9)).domains == 3
    assert live((1, 0, M, 5, 4), (2, 1, M, 9, 4)).domains == 1  # side by side


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), min_size=1, max_size=12))
def test_the_depth_is_that_of_the_fullest_page(ranges: list[tuple[int, int]]) -> None:
    found = live(*((time, 0, M, first, pages) for time, (first, pages) in enumerate(ranges)))
    assert found.domains == max(sum(first <= page < first + pages for first, pages in ranges) for page in range(27))


def test_an_empty_map_ends_no_search() -> None:
    found = live((1, 0, M, 5, 1), (2, 0, M, 6, 0), (3, 0, U, 5, 4))
    assert found.matched == 1
