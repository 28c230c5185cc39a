"""A load that keeps its pace counts at its horizon what it would have counted there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.truth import columns, error, read_cases
from tests.workers.scenarios import table
from workers import cost, pace, rest, task
from workers.events import run as events
from workers.rest import Limits, Seen

QUARTER, HALF, NOW = (
    Seen(1e8 * t, 5 * t, 5e5 * t, 32, 1000 + t, 9e5 * t, 4e4 * t, 1e7 * t, 5e3 * t, 5e3 * t + t, 8e4 * t)
    for t in (1, 2, 4)
)
LIMITS = Limits(horizon_ns=8e8, earliest_ns=4e8, rearm_ns=1.6e7, magazines=32, nodes=2000, frees_to_tree=True)

HOLES = Path(__file__).parents[1] / "data" / "holes_rows.jsonl"

LOAD = {"cpus": 48, "unmap_burst": 64, "burst_period_us": 5_000.0, "in_flight": 128, "horizon_s": 3.0}


def changed(**more):
    """NOW with ``more`` of what it names."""
    return NOW._replace(**{name: getattr(NOW, name) + value for name, value in more.items()})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"now": NOW._replace(now_ns=3.9e8)}, False),
        ({"stay_max_ns": 0.6 * 1.6e7}, False),
        ({"now": changed(callback_ns=1e6)}, False),  # 200 us each, before 100
        ({"now": changed(ops=3e4)}, True),  # of 1.8e6 since half the time
        ({"now": changed(ops=4e4)}, False),
        ({"now": changed(drained_by_timer=4e3)}, True),  # of 8e4
        ({"now": changed(drained_by_timer=5e3)}, False),
        ({"now": changed(held_ns=8e5)}, True),  # of 2e7, so 0.1 of the time
        ({"now": changed(held_ns=1.2e6)}, False),
        ({"now": changed(erases=2.4e3, inserts=2.4e3)}, True),  # of 1e4; a thousandth of the operations is no matter
        ({"now": changed(erases=4.4e3, inserts=4.4e3)}, False),
        ({"now": changed(walk_steps=3.9e4)}, True),  # of 1.6e5
        ({"now": changed(walk_steps=4.1e4)}, False),
        ({"now": changed(inserts=38)}, True),  # IOVAs that stay: 2 and 38 of 1,004, and as many in the next doubling
        ({"now": changed(inserts=39)}, False),
        ({"now": NOW._replace(nodes_peak=1_801)}, False),
        ({"now": NOW._replace(nodes_peak=1_801), "limits": LIMITS._replace(frees_to_tree=False)}, True),
        ({"now": NOW._replace(nodes_peak=1_801), "limits": LIMITS._replace(nodes=np.inf)}, True),
    ],
)
def test_each_sign_of_change_is_enough(change, expected):
    given = {"quarter": QUARTER, "half": HALF, "now": NOW, "limits": LIMITS, "stay_max_ns": 2e6}
    assert bool(pace.keeps(**(given | change))) == expected


def test_who_frees_nothing_yet_must_not_come_near_a_full_depot():
    quarter, half, now = (seen._replace(erases=0, inserts=10, depot_peak=25) for seen in (QUARTER, HALF, NOW))
    assert pace.keeps(quarter, half, now, LIMITS, 2e6)
    assert not pace.keeps(quarter, half, now._replace(depot_peak=26), LIMITS, 2e6)


def test_what_grows_at_its_rate_and_what_with_the_logarithm_of_time():
    half = {"ops": 100, "acquisitions": 50, "erases": 20, "inserts": 30, "nodes_peak": 1_000}
    now = {"ops": 300, "acquisitions": 90, "erases": 40, "inserts": 54, "nodes_peak": 1_006}
    keeps = pace.ahead(half, now, times=3.0, doublings=2.0, resting=False)
    assert keeps == {"ops": 600, "acquisitions": 120, "erases": 60, "inserts": 68, "nodes": 0, "nodes_peak": 12}
    rests = pace.ahead(half | {"erases": 40}, now, 3.0, 2.0, True)
    assert rests == {"ops": 600, "acquisitions": 80, "erases": 0, "inserts": 48, "nodes": 48, "nodes_peak": 12}


@pytest.mark.parametrize(
    "change",
    [
        {"policy": "list", "iova_pages": "32", "in_flight": 1_000},  # trimmed
        {"policy": "array", "burst_period_us": 2_000.0},  # overflows
        {"policy": "list_untrimmed", "iova_pages": "32", "in_flight": 1_000},  # first attempts are refused
        {"policy": "array", "iova_pages": "1:0.9,8:0.1", "burst_period_us": 1_000.0},
        {"iova_pages": "33", "cpus": 8, "dma32_first": False},
    ],
)
def test_a_load_that_keeps_its_pace_counts_what_the_whole_run_counts(change, monkeypatch):
    scenario = table([LOAD | change])
    early = events.run(scenario)
    assert early["simulated_ms"][0] < 0.7e3 * LOAD["horizon_s"]
    monkeypatch.setattr(rest, "CALLBACKS", 1e9)  # neither rule may be asked before
    whole = events.run(scenario)
    assert whole["simulated_ms"][0] == 1e3 * LOAD["horizon_s"]
    for name, relative, absolute in (
        ("ops_completed", 0.005, 0),
        ("iotlb_flushes", 0.02, 2),
        ("iovas_drained_by_timer", 0.03, 100),
        ("callback_count", 0.02, 1),
        ("callback_mean_ms", 0.05, 0.005),
        ("callback_p99_ms", 0.1, 0.01),
        ("rbtree_lock_held_fraction", 0.05, 0.002),
        ("rbtree_erases", 0.15, 500),
        ("rbtree_walk_steps", 0.15, 500),
        ("iova_nodes_peak", 0.02, 0),
        ("magazines_peak", 0.02, 3),
    ):
        assert early[name][0] == pytest.approx(whole[name][0], rel=relative, abs=absolute), name


@pytest.mark.parametrize(
    "change",
    [
        {"iova_pages": "8", "in_flight": 2_600, "policy": "array", "horizon_s": 1.2},  # near the end of the 4 GiB
        {"burst_period_us": 4e4, "fq_entry_remote_ns": 1e4, "horizon_s": 1.2},  # callbacks near the re-arm period
        {"iova_pages": "64", "in_flight": 600, "horizon_s": 1.2},  # the lock is always held
    ],
)
def test_a_load_that_may_yet_chain_is_followed_to_its_horizon(change):
    scenario = table([LOAD | change])
    assert events.run(scenario)["simulated_ms"] == 1e3 * scenario["horizon_s"]


def test_a_smaller_depot_that_overflows_says_nothing_of_a_larger_one():
    """The run of the first ends early, as it stands for that one alone; the other gets the bits it gets alone."""
    load = LOAD | {"burst_period_us": 2_000.0}
    scenarios = table([load | {"policy": name} for name in ("array", "array_128mags")])
    together = events.run(scenarios)
    assert together["rbtree_erases"][0] > 0
    for row in range(2):
        alone = events.run({name: values[row : row + 1] for name, values in scenarios.items()})
        assert all(alone[name][0] == together[name][row] for name in alone)


def test_loads_that_may_keep_their_pace_are_foreseen():
    trimmed = LOAD | {"policy": "list"}
    rows = [trimmed, LOAD | {"fq_entry_remote_ns": 6_000.0}, trimmed | {"horizon_s": 0.3}]
    assert cost.simulated_s(table(rows)) == pytest.approx([2.048, 3.0, 0.3])


def test_searches_that_grow_longer_are_followed_until_they_have():
    """Holes that oversize IOVAs leave take lifetimes of theirs to spread: 0.2 s each here, and 32 of them 6.4 s."""
    scenario = table([LOAD | {"cpus": 8, "iova_pages": "64", "in_flight": 1_600, "unmap_burst": 32, "horizon_s": 3.4}])
    scenario["burst_period_us"][:] = 4_000.0
    walks: list[float] = []
    ran = events.machine(scenario)

    def look(now):
        if now >= 1e8 * 2.0 ** len(walks):
            walks.append(ran.counted.walk_steps / now)
        return 1e8 * 2.0 ** len(walks)

    ran.run(look)
    assert len(walks) == 6
    assert walks[3] > 1.3 * walks[1], "at 0.8 s they are still growing longer"
    assert events.run(scenario)["simulated_ms"][0] == 3_400.0


def test_searches_of_long_runs_are_those_of_the_reference_machine():
    """Of 24 loads of oversize IOVAs for 4 to 10 s the three with the fewest operations."""
    cases = [case for case in read_cases(HOLES) if case.policy == "list"]
    light = sorted(cases, key=lambda case: case.seeds[0]["ops_completed"])[:3]
    counted = task.count(columns(light))
    for walks, case in zip(counted["rbtree_walk_steps"], light, strict=True):
        assert abs(error(walks, [row["rbtree_walk_steps"] for row in case.seeds])) < 0.15
