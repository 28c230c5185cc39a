"""Space lost between sizes, against laying them down one after the other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.mapped import iovas_of
from tests.workers.scenarios import table
from workers.events import run as events
from workers.events.iova import CLASS
from workers.schema import PFNS_BELOW_4G
from workers.slices import params, state
from workers.slices.packing import lost_pages


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 4, 8, 16, 32, 64]), min_size=1, max_size=4, unique=True), st.integers(0, 99))
def test_lost_pages_are_those_left_free_as_iovas_are_laid_down(slots, seed):
    rng = random.Random(seed)
    weights = [rng.uniform(0.2, 1.0) for _ in slots]
    weights = [weight / sum(weights) for weight in weights]
    at = lost = 0
    for slot in rng.choices(slots, weights, k=20_000):
        gap = -at % slot
        at, lost = at + gap + slot, lost + gap
    assert lost_pages(tuple(zip(slots, weights, strict=True))) == pytest.approx(lost / 20_000, rel=0.05, abs=1e-9)


@pytest.mark.parametrize(
    ("iova_pages", "in_flight"),
    [
        ("32", 400),
        ("32", 600),
        ("8,32", 500),
        ("8,32", 1200),
        ("8,32", 1600),
        ("1,32", 800),
        ("1,32", 1600),
        ("3,16", 3000),
    ],
)
def test_the_first_maps_leave_what_they_leave_in_the_tree(iova_pages, in_flight):
    row = {"cpus": 64, "in_flight": in_flight, "iova_pages": iova_pages, "unmap_burst": 1, "burst_period_us": 1e6}
    p = params.from_columns(table([row]))
    slices = state.initial(p)
    machine = events.machine(table([row]))
    machine.fill()

    low = iovas_of(machine.domain.locked_tree.tree.low)
    assert slices.lane_nodes[0, 0] == pytest.approx(len(low), rel=0.03)
    for k in range(p.classes):
        there = sum(iova & CLASS == k for iova in low)
        assert slices.row_in_flight[2 * k].sum() == pytest.approx(there, rel=0.05)
    assert min(slices.lane_sealed_pages[0], PFNS_BELOW_4G) == machine.domain.locked_tree.tree.max32_alloc_size
