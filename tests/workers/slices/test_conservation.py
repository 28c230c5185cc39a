"""At every step of any small scenario: no IOVA is lost or made, nothing is negative or NaN, clocks only go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.scenarios import small_scenarios, table
from workers import mixes
from workers.schema import COST_COLUMNS, FQ_ENTRIES
from workers.slices import params
from workers.slices.params import Params
from workers.slices.state import State, initial
from workers.slices.step import step

STEPS = 60
COUNTS = ("row_in_flight", "row_maps_left", "row_requests", "row_ring_old", "row_ring_new", "row_loaded", "row_prev")
COUNTS += ("lane_depot", "lane_depot_pfns", "lane_nodes", "lane_pending", "lane_steps")
NOT_NEGATIVE = ("lane_open_pages", "lane_holes", "lane_cached_rank", "lane_lock_wait_ns", "lane_lock_debt_ns")


def held(s: State, p: Params) -> np.ndarray:
    """IOVAs below and above 4 GiB of each lane wherever they are but in the tree, where all of them are: (2, lanes)."""
    rows = s.row_in_flight + s.row_ring_old + s.row_ring_new + s.row_loaded + s.row_prev
    sides = [np.bincount(p.row_lane, rows[side::2].sum(0), p.lanes) for side in (0, 1)]
    return np.stack(sides) + (s.lane_depot_pfns + s.lane_pending).reshape(-1, 2, p.lanes).sum(0)


def check(s: State, p: Params) -> None:
    assert (held(s, p) == s.lane_nodes).all()
    for name in COUNTS:
        values = getattr(s, name)
        assert (values >= 0).all(), name
        assert (values == np.floor(values)).all(), name
    for name in NOT_NEGATIVE:
        assert (getattr(s, name) >= -1e-9).all(), name
    assert (s.lane_cached_rank <= 1 + 1e-9).all()
    assert not any(np.isnan(v).any() for v in vars(s).values() if isinstance(v, np.ndarray) and v.dtype.kind == "f")
    assert all(np.isfinite(v).all() for v in s.count.values())
    assert ((s.row_ring_old + s.row_ring_new).sum(0) <= FQ_ENTRIES).all()
    for magazine in (s.row_loaded, s.row_prev):
        assert (magazine[0::2] + magazine[1::2] <= p.magazine[p.row_lane]).all()
    assert (s.lane_depot_pfns[0::2] + s.lane_depot_pfns[1::2] == s.lane_depot * p.magazine).all()
    assert (s.lane_depot <= np.where(p.is_list, np.inf, p.capacity)).all()


def run_checked(rows: list[dict[str, Any]], steps: int) -> State:
    """Steps the scenarios as one batch, with every check after every step."""
    p = params.from_columns(table(rows))
    s = initial(p)
    check(s, p)
    for _ in range(steps):
        now_ns = s.lane_now_ns.copy()
        counted = {name: values.copy() for name, values in s.count.items()}
        s = step(s, p)
        check(s, p)
        assert (s.lane_now_ns >= now_ns).all()
        assert all((s.count[name] >= values).all() for name, values in counted.items())
    return s


def batches(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows by how many size classes they have, as ``workers.slices.run`` batches them."""
    named = [row | {"id": str(i)} for i, row in enumerate(rows)]
    classes = mixes.of_mixes(table(named)["iova_pages"], len)
    return [[named[i] for i in np.flatnonzero(classes == n)] for n in np.unique(classes)]


@settings(max_examples=20)
@given(st.lists(small_scenarios(), min_size=1, max_size=16))
def test_iovas_are_conserved_at_every_step(rows):
    for batch in batches(rows):
        run_checked(batch, STEPS)


BUSY = {"cpus": 6, "unmap_burst": 200, "in_flight": 400, "burst_period_us": 2_000.0, "fq_entry_remote_ns": 20_000.0}
LONG = [
    BUSY | {"iova_pages": pages, "policy": policy, "dma32_first": low, "in_flight": in_flight, "free_cpu_shift": shift}
    for pages, in_flight in (("16", 10_800), ("32", 5_400), ("1,16,64", 2_300), ("1", 400), ("64", 200))
    for policy in ("array", "list")
    for low, shift in ((True, 0), (True, 1), (False, 0))
]


def test_iovas_are_conserved_where_the_space_below_4_gib_is_nearly_full():
    ended = [run_checked(batch, 500) for batch in batches(LONG)]
    assert len(ended) == 2
    assert np.concatenate([s.lane_nodes for s in ended], axis=1).any(1).all()  # both sides were in use
    assert all((s.count["ops"] > 0).all() for s in ended)
    assert sum(s.count["erases"].sum() for s in ended) > 0
    assert sum(s.lane_depot.sum() for s in ended) > 0


def test_costs_may_be_zero():
    run_checked([BUSY | {"unmap_burst": 300} | dict.fromkeys((c.name for c in COST_COLUMNS), 0.0)], 100)


@pytest.mark.parametrize(("burst", "period_us"), [(1, 200.0), (64, 5_000.0)])
def test_maps_end_where_the_target_has_twice_its_iovas(burst, period_us):
    # CPU 0's maps are unmapped by CPU 1 and the other way round; one of both runs the timer for a long time
    row = {"cpus": 2, "unmap_burst": burst, "burst_period_us": period_us, "in_flight": 2 * burst, "free_cpu_shift": 1}
    p = params.from_columns(table([row | {"fq_entry_remote_ns": 2e6 / burst}]))
    s = initial(p)
    for _ in range(150):
        s = step(s, p)
        assert (s.row_in_flight.sum(0) <= 2 * p.in_flight).all()
