"""What events are foreseen, against the events."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers import cost
from workers.events import run as events

LOAD = {"cpus": 64, "unmap_burst": 64, "burst_period_us": 20_000.0, "in_flight": 128, "horizon_s": 0.4}
ALIGNED = LOAD | {"cpus": 128, "unmap_burst": 96, "phase": "aligned", "iova_pages": "4"}


def counted(row: dict) -> tuple[cost.Load, dict]:
    """What is foreseen for a virtual second, and what the events counted in one."""
    scenario = table([row])
    found = events.run(scenario)
    per_s = {name: values[0] / row["horizon_s"] for name, values in found.items()}
    return cost.Load(*(values[0] for values in cost.expected_load(scenario))), per_s


def test_bursts_and_unmaps_are_those_of_the_load():
    load, found = counted(LOAD)
    assert load.bursts == 64 * 50
    assert 2 * load.unmaps == pytest.approx(found["ops_completed"], rel=0.05)


def test_an_oversize_iova_asks_for_the_lock_twice():
    load, found = counted(LOAD | {"iova_pages": "64"})
    assert load.oversize == pytest.approx(found["rbtree_lock_acquisitions"], rel=0.05)


@pytest.mark.parametrize(("change", "within"), [({}, 0.1), ({"policy": "array_127"}, 0.1), ({"phase": "random"}, 0.5)])
def test_what_an_array_has_no_room_for_is_mapped_from_the_tree(change, within):
    load, found = counted(ALIGNED | change)
    assert load.overflow == pytest.approx(found["rbtree_erases"], rel=within)


def test_slices_of_microseconds_cost_what_they_take():
    """A batch shares the cost of a step, but not of the many more that one lane takes."""
    rows = [LOAD, LOAD | {"unmap_burst": 5, "in_flight": 11, "burst_period_us": 1.2}]
    usual_s, tiny_s = cost.seconds_in_slices(table(rows))
    assert usual_s == pytest.approx((cost.BASE_ROWS + 64) * cost.SECONDS_PER_ROW)
    steps = 1e9 / (2 * 5 * (250 + 250 + 3 * 15 + 8))
    assert tiny_s - usual_s == pytest.approx((steps - cost.STEPS_TOGETHER) * cost.SECONDS_PER_LONE_STEP, rel=1e-6)


def test_a_list_and_a_strict_iommu_overflow_nowhere():
    rows = [ALIGNED | {"policy": "list"}, ALIGNED | {"strict": True}]
    load = cost.expected_load(table(rows))
    assert not load.overflow.any()
    assert not load.refused.any()


def test_first_attempts_are_refused_where_the_space_below_4_gib_is_full():
    full, found = counted(LOAD | {"policy": "list", "iova_pages": "32", "in_flight": 1200})
    assert full.refused == pytest.approx(found["rbtree_lock_acquisitions"], rel=0.4)


def test_a_lock_that_is_always_held_costs_no_more_than_it_gets_done():
    rows = [LOAD | {"iova_pages": "64", "burst_period_us": period_us} for period_us in (100_000.0, 200.0, 20.0)]
    seldom_s, often_s, always_s = cost.seconds(table(rows))
    assert cost.expected_load(table(rows)).busy[1] > 1
    assert seldom_s < often_s
    assert always_s == pytest.approx(often_s, rel=0.2)


@pytest.mark.parametrize("change", [{}, {"burst_period_us": 200.0, "horizon_s": 0.1}, {"cpus": 8, "unmap_burst": 128}])
def test_depots_are_foreseen_within_a_factor_of_two(change):
    """What the timer drains, or what stays there where rings fill up by themselves."""
    row = LOAD | {"policy": "list_untrimmed"} | change
    load, _ = counted(row)
    assert 0.5 < load.depot / events.run(table([row]))["depot_magazines_peak"][0] < 2.0


def test_costs_grow_with_the_cpus_and_are_never_nothing():
    rows = [LOAD | {"cpus": cpus, "policy": "list"} for cpus in (1, 2, 4, 8, 16)]
    seconds = cost.seconds(table(rows))
    assert seconds == pytest.approx(seconds[0] * np.array([1, 2, 4, 8, 16]))
    assert seconds[0] > 0


@pytest.mark.parametrize("change", [{}, {"free_cpu_shift": 1}, {"free_cpu_shift": 8}, {"iova_pages": "16,32"}])
def test_refusals_that_come_in_rows_are_known_and_cost_less(change):
    row = LOAD | {"policy": "list", "iova_pages": "32", "in_flight": 1200} | change
    scenario = table([row])
    in_rows = bool(cost.refused_in_rows(scenario)[0])
    maps = events.machine(scenario).maps
    assert in_rows == (maps.alone and not maps.domain.mixed)
    apart = table([row | {"free_cpu_shift": 1}])
    assert (cost.seconds(scenario) < cost.seconds(apart)).tolist() == [in_rows]
