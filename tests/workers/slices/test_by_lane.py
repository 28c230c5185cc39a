"""Sums and shares by lane: each lane for itself, exact in whole numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.slices import by_lane

LANES = 5
ROWS = st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(0, 1 << 20)), max_size=30).map(sorted)


def arrays(rows):
    return np.array([lane for lane, _ in rows], int), np.array([value for _, value in rows], float)


@given(ROWS)
def test_sums_minima_and_running_sums(rows):
    lane, values = arrays(rows)
    own = [[v for at, v in rows if at == number] for number in range(LANES)]
    assert by_lane.total(lane, values, LANES).tolist() == [sum(v) for v in own]
    assert by_lane.total(lane, np.stack([values, values + 1]), LANES)[1].tolist() == [sum(v) + len(v) for v in own]
    assert by_lane.least(lane, values, LANES).tolist() == [min(v, default=np.inf) for v in own]
    before = [sum(v[:i]) for v in own for i in range(len(v))]
    assert by_lane.before(lane, values, LANES).tolist() == before


@given(ROWS, st.data())
def test_a_share_is_whole_exact_and_no_more_than_there_is(rows, data):
    lane, counts = arrays(rows)
    whole = by_lane.total(lane, counts, LANES)
    part = np.array([data.draw(st.integers(0, int(w))) for w in whole], float)
    shares = by_lane.share_out(lane, counts, part, whole)
    assert by_lane.total(lane, shares, LANES).tolist() == part.tolist()
    assert (shares >= 0).all()
    assert (shares <= counts).all()
    assert (shares == np.floor(shares)).all()
    assert np.abs(shares - counts * (part / np.maximum(whole, 1))[lane]).max(initial=0) <= 1
