"""Rings: never above 255 entries, nothing lost, one full ring releases everybody's entries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.schema import FQ_ENTRIES
from workers.slices.flush_queue import Queued, part_of, queue_burst

KINDS = 4
SLICE_NS = 1e6


def burst_of_one_kind(old, new, burst, start_ns=0.0, lane=None, unmap_ns=250.0) -> Queued:
    """A burst on CPUs of one lane (or of ``lane``), all entries of one kind; lists, one entry a CPU."""
    lane = np.zeros(len(burst), int) if lane is None else np.array(lane)
    arrays = [np.array([values], float) for values in (old, new, burst)]
    start = np.broadcast_to(np.asarray(start_ns, float), lane.shape)
    lanes = lane.max() + 1
    costs, u = np.full(len(lane), unmap_ns), np.full(len(lane), 0.3)
    return queue_burst(lane, lanes, *arrays, start, costs, np.full(lanes, SLICE_NS), u)


@st.composite
def bursts(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """lane (n,), old, new and unmapped (KINDS, n) with at most 255 entries in a ring, start_ns, unmap_ns and u (n,)."""
    lane = np.sort(np.array(draw(st.lists(st.integers(0, 2), min_size=1, max_size=6))))
    n = len(lane)

    def entries(most: int) -> list[int]:
        return draw(st.lists(st.integers(0, most), min_size=n, max_size=n))

    old, new, unmapped = (np.array([entries(most) for _ in range(KINDS)], float) for most in (31, 32, 400))
    start, unmap, u = (np.array(draw(st.lists(f, min_size=n, max_size=n))) for f in (
        st.floats(0, 1e9), st.sampled_from((0.3, 265.0, 1e4)), st.floats(0, 0.999)))  # fmt: skip
    return lane, old, new, unmapped, start, unmap[lane * 0], u


@given(bursts())
def test_rings_hold_255_and_lose_nothing(given_bursts):
    lane, old, new, unmapped, start, unmap, u = given_bursts
    done = queue_burst(lane, 3, old, new, unmapped, start, unmap, np.full(3, SLICE_NS), u)
    assert (done.old + done.new + done.freed == old + new + unmapped).all()
    assert min(part.min() for part in (done.old, done.new, done.freed)) >= 0
    assert (done.old + done.new).sum(0).max() <= FQ_ENTRIES
    assert (np.isfinite(done.flush_ns) == (done.flushes > 0)).all()
    fills = (new.sum(0) + unmapped.sum(0) > FQ_ENTRIES).astype(float)
    assert ((done.flushes > 0) == (np.bincount(lane, fills, 3) > 0)).all()


@given(st.integers(0, 255), st.integers(1, 3000), st.integers(0, 10**9), st.sampled_from((250.0, 265.0)))
def test_a_ring_is_flushed_each_time_it_is_full(held, burst, start_ns, unmap_ns):
    done = burst_of_one_kind([0], [held], [burst], start_ns, unmap_ns=unmap_ns)
    flushes = -(-(held + burst) // FQ_ENTRIES) - 1
    assert done.flushes == flushes
    assert done.freed.sum() == flushes * FQ_ENTRIES
    assert done.new.sum() == held + burst - flushes * FQ_ENTRIES
    if flushes:
        assert done.flush_ns == pytest.approx(start_ns + (FQ_ENTRIES - held) * unmap_ns)


def test_released_entries_are_freed_by_the_next_unmap():
    done = burst_of_one_kind([100], [20], [3])
    assert (done.freed.sum(), done.old.sum(), done.new.sum(), done.flushes[0]) == (100, 0, 23, 0)


def test_one_full_ring_releases_the_entries_of_every_cpu_of_its_lane():
    # CPU 0 fills its ring after 5 unmaps (1.25 us); CPU 1 is done before that, CPU 2 in the middle, CPU 3 has not begun
    start = [0.0, 0.0, 1000.0, 5000.0]
    done = burst_of_one_kind([0, 0, 0, 0], [250, 40, 40, 40], [10, 2, 10, 10], start)
    assert done.flush_ns[0] == 1250.0
    assert done.flushes[0] == 1
    assert done.freed[0].tolist() == [255, 0, 41, 40]
    assert done.old[0].tolist() == [0, 42, 0, 0]
    assert done.new[0].tolist() == [5, 0, 9, 10]


def test_other_lanes_rings_stay_as_they_are():
    done = burst_of_one_kind([7, 7], [250, 250], [10, 5], lane=[0, 1])
    assert done.flushes.tolist() == [1, 0]
    assert done.new[0].tolist() == [5, 255]


@given(st.lists(st.lists(st.integers(0, 99), min_size=KINDS, max_size=KINDS), min_size=1, max_size=5), st.data())
def test_a_part_is_whole_and_proportional(batches, data):
    batch = np.array(batches, float).T
    count = np.array([data.draw(st.integers(0, int(total) + 9)) for total in batch.sum(0)], float)
    part = part_of(batch, count, np.array([data.draw(st.floats(0, 0.999)) for _ in count]))
    assert (part == np.floor(part)).all()
    assert (part >= 0).all()
    assert (part <= batch).all()
    assert (part.sum(0) == np.minimum(count, batch.sum(0))).all()
    fair = np.minimum(count, batch.sum(0)) * batch / np.maximum(batch.sum(0), 1)
    assert np.abs(part - fair).max() <= KINDS
