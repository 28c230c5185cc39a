"""iova_rbtree_lock: what it serves is shared out in equal turns, each lane for itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers import by_lane
from workers.lock import fair_share, round_running

LANES = 4


@st.composite
def queues(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """lane (n,), want (n,), served (lanes,) of at most what the lane wants, u (lanes,)."""
    rows = sorted(draw(st.lists(st.tuples(st.integers(0, LANES - 1), st.integers(0, 700)), min_size=1, max_size=24)))
    lane, want = (np.array(values) for values in zip(*rows, strict=True))
    want = want.astype(float)
    served = [float(draw(st.integers(0, int(total)))) for total in by_lane.total(lane, want, LANES)]
    u = draw(st.lists(st.floats(0.001, 0.999), min_size=LANES, max_size=LANES))
    return lane, want, np.array(served), np.array(u)


@given(queues())
def test_shares_add_up_to_what_was_served(queue):
    lane, want, served, u = queue
    share = fair_share(lane, want, served, u)
    assert by_lane.total(lane, share, LANES).tolist() == served.tolist()
    assert (share == np.floor(share)).all()
    assert (share >= 0).all()
    assert (share <= want).all()


@given(queues())
def test_nobody_gets_two_turns_more_than_one_who_still_waits(queue):
    lane, want, served, u = queue
    share = fair_share(lane, want, served, u)
    for number in range(LANES):
        waits = (lane == number) & (share < want)
        if waits.any():
            assert share[lane == number].max() <= share[waits].min() + 2


@given(queues())
def test_other_lanes_do_not_matter(queue):
    lane, want, served, u = queue
    together = fair_share(lane, want, served, u)
    for number in np.unique(lane):
        rows = lane == number
        alone = fair_share(np.zeros(rows.sum(), int), want[rows], served[[number]], u[[number]])
        assert together[rows].tolist() == alone.tolist()


@given(st.lists(st.floats(0, 50), min_size=1, max_size=20), st.floats(0, 0.999))
def test_running_sums_are_rounded_not_the_rows(real, u):
    lane, values = np.zeros(len(real), int), np.array(real)
    whole = round_running(lane, values, np.array([u]), 1)
    assert np.abs(np.cumsum(whole) - np.cumsum(values)).max() < 1 + 1e-3
    assert np.abs(whole - values).max() < 1 + 1e-3


def test_a_third_of_a_turn_each_is_one_turn():
    assert fair_share(np.zeros(3, int), np.ones(3), np.ones(1), np.zeros(1)).sum() == 1
