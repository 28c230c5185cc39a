"""A run that goes on beyond its horizon, to see how long stays in the softirq last."""

from __future__ import annotations

from heapq import heappush

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers.events import run as events
from workers.events.clocks import Clocks
from workers.events.tally import columns, tally
from workers.hazard import LASTING_S

CHAINS = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 15_000.0, "in_flight": 64, "horizon_s": 1.5}
CHAINS |= {"fq_entry_remote_ns": 4e6}
"""A burst's 16 entries take the callback 64 ms, four times the re-arm period."""

SEEN = ("long_stays", "long_stays_ms", "long_stays_log_s", "last_stay_ms", "simulated_ms")


def horizon_alone(scenario) -> dict:
    """The counters of a machine that ends at its horizon."""
    ran = events.machine(scenario)
    ran.run()
    return columns(tally(ran, ran.horizon_ns), int(scenario["cpus"][0]), float(scenario["trim_threshold"][0]))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"fq_entry_remote_ns": 25e6},  # inside its first stay at the horizon
        {"fq_entry_remote_ns": 25e6, "horizon_s": 4.0},  # which ended, and no other one is as long
        {"policy": "list", "hz": 1000, "horizon_s": 3.0},  # a look is due at the horizon
    ],
)
def test_where_a_stay_may_last_the_stays_are_those_of_a_longer_run_and_all_else_is_of_the_horizon(change):
    scenario = table([CHAINS | change])
    counted = events.run(scenario)
    assert counted["softirq_residency_max_ms"][0] >= 1e3 * LASTING_S
    until_s = min(3 * scenario["horizon_s"][0], 8.0)
    assert counted["simulated_ms"][0] == 1e3 * until_s
    longer = horizon_alone(scenario | {"horizon_s": np.array([until_s])})
    assert {name: counted[name][0] for name in SEEN} == {name: longer[name] for name in SEEN}
    alone = horizon_alone(scenario)
    rest = alone.keys() - set(SEEN)
    assert {name: counted[name][0] for name in rest} == {name: alone[name] for name in rest}
    assert alone["simulated_ms"] == 1e3 * scenario["horizon_s"][0]


def test_a_depot_that_overflows_beyond_the_horizon_says_nothing_of_a_larger_one():
    slow = {"in_flight": 1_000, "burst_period_us": 150_000.0, "rb_erase_ns": 4e6, "seed": 2}
    # what overflows takes half a second
    load = table([CHAINS | slow | {"policy": policy} for policy in ("array", "list_untrimmed")])
    load["depot_capacity"] = np.where(load["depot_kind"] == "array", 1, load["depot_capacity"])
    small, large = ({name: values[row : row + 1] for name, values in load.items()} for row in range(2))
    overflowed = []
    for horizon_s in (1.5, 4.5):
        ran = events.machine(small | {"horizon_s": np.array([horizon_s])})
        ran.run()
        overflowed.append(ran.domain.rcaches.overflowed)
    assert overflowed == [False, True]
    together = events.run(load)
    for row, scenario in enumerate((small, large)):
        alone = events.run(scenario)
        assert {name: v[row] for name, v in together.items()} == {name: v[0] for name, v in alone.items()}


def test_what_is_due_at_the_horizon_is_due_when_that_moves():
    clocks = Clocks({"lock_local_ns": 15.0, "lock_remote_ns": 100.0, "lock_handover_ns": 150.0, "horizon_s": 1.0})
    worked: list[float] = []
    clocks.others[-1] = worked.append
    heappush(clocks.heap, (1e9, -1))
    clocks.go({}, look=lambda now: now + 0.25e9)
    assert not worked
    for horizon_ns in (2e9, 3e9):
        clocks.move_horizon(horizon_ns)
        clocks.go({})
        assert worked == [1e9]


def test_a_run_ends_at_its_horizon_where_no_stay_lasts():
    scenario = table([CHAINS | {"burst_period_us": 300_000.0}])
    counted = events.run(scenario)
    assert 100 <= counted["softirq_residency_max_ms"][0] < 1e3 * LASTING_S
    assert counted["long_stays"][0] > 0
    assert counted["simulated_ms"][0] == 1500


def test_a_run_that_is_longer_anyway_ends_at_its_horizon():
    counted = events.run(table([CHAINS | {"horizon_s": 9.0}]))
    assert counted["softirq_residency_max_ms"][0] >= 1e3 * LASTING_S
    assert counted["simulated_ms"][0] == 9000
