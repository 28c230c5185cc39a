"""iova_rbtree_lock: what it serves is shared out in equal turns, each lane for itself, and the callback has its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.scenarios import table
from workers.slices import by_lane, params
from workers.slices.lock import SHORTEST_NS, SINGLES_NS, fair_share, round_running, serve
from workers.slices.state import initial

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


CPUS = 8


def served(pages: str, each: int, turns: float | None, wait_ns: float = 0.0) -> tuple[float, float, float]:
    """Maps served of ``each`` on each CPU, the time after which a waiting callback gets the lock, and how long these
    maps hold it; ``turns``: how many of its turns the callback has come to, None where it does not wait."""
    row = {"cpus": CPUS, "iova_pages": pages, "in_flight": 200, "unmap_burst": 64, "burst_period_us": 1_000.0}
    p = params.from_columns(table([row]))
    s = initial(p)
    s.lane_blocked = np.array([turns is not None])
    s.lane_turns = np.array([turns or 0.0])
    s.lane_lock_wait_ns = np.array([wait_ns])
    rows, maps = np.arange(CPUS), np.full((1, CPUS), float(each))
    found, failed, turn_ns = serve(s, p, rows, np.zeros(CPUS), maps, np.array([1e9]))
    return found.sum() + failed.sum(), turn_ns[0], s.lane_lock_debt_ns[0]


@pytest.mark.parametrize(
    ("pages", "turns", "wait_ns", "most"),
    [
        ("16", 0.0, 0.0, CPUS),  # one request of each CPU is a round
        ("16", 0.25, 0.0, 6),
        ("16", -1.5, 0.0, 20),
        ("16", 0.999, 0.0, 1),
        ("64", 0.0, SINGLES_NS / 4, 4 * CPUS),  # turns that free one IOVA are taken several at once
    ],
)
def test_a_waiting_callback_gets_the_lock_after_a_round(pages, turns, wait_ns, most):
    number, turn_ns, held_ns = served(pages, 10, turns, wait_ns)
    assert number == most
    assert turn_ns == max(held_ns, SHORTEST_NS)


@pytest.mark.parametrize(("each", "turns"), [(10, None), (1, -0.5)])
def test_nobody_gets_the_lock_where_none_waits_or_the_round_goes_on(each, turns):
    number, turn_ns, _ = served("16", each, turns)
    assert number == each * CPUS
    assert turn_ns == np.inf
