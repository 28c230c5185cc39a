"""A load at rest counts at its horizon what it would have counted there; others are followed to the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.truth import by_scenario, columns, error, read_cases
from tests.workers.scenarios import table
from tests.workers.test_batching import assert_same_bits, rows_of
from workers import cost, params, rest, task
from workers.delicate import expected_seconds
from workers.events import run as events
from workers.rest import Limits, Seen

LOAD = {"cpus": 8, "unmap_burst": 64, "burst_period_us": 900.0, "in_flight": 200, "hz": 1000, "horizon_s": 2.0}
LOAD |= {"policy": "array_128mags"}
EARLIEST_MS = 32 * 11

DATA = Path(__file__).parents[1] / "data" / "rest_rows.jsonl"

NEVER = 1e9
"""In place of rest.CALLBACKS."""

QUARTER, HALF, NOW = (Seen(1e8 * t, 5 * t, 5e5 * t, 8, 1000 + t, 9e5 * t, 4e4 * t, 1e5 * t, 0, t, t) for t in (1, 2, 4))
LIMITS = Limits(horizon_ns=8e8, earliest_ns=4e8, rearm_ns=1.6e7, magazines=32, nodes=2000, frees_to_tree=True)


def test_time_doubles():
    assert rest.doublings(1.0, 2.0, 8.0) == 2
    assert rest.doublings(np.array([2.0, 1.0]), np.array([4.0, 4.0]), 16.0).tolist() == [2, 1]


def test_records_of_a_stationary_sequence_grow_by_as_much_with_each_doubling_of_time():
    """What the law is about: new minima of 20,000 random sequences, from the 16th to the 32nd, 64th and 128th."""
    lowest = np.minimum.accumulate(np.random.default_rng(1).random((20_000, 128)), axis=1)
    records = (np.diff(lowest, axis=1) < 0).cumsum(1)
    grown = [float((records[:, 2 * t - 2] - records[:, t - 2]).mean()) for t in (16, 32, 64)]
    assert grown == pytest.approx([np.log(2)] * 3, rel=0.04)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"now": NOW._replace(now_ns=3.9e8)}, False),
        ({"now": NOW._replace(erases=1)}, False),
        ({"above_4g": 1}, False),
        ({"above_4g": 1, "limits": LIMITS._replace(nodes=np.inf)}, True),
        ({"stay_max_ns": 0.4 * 1.6e7}, False),
        ({"now": NOW._replace(depot_peak=24)}, False),  # 24, and as many more as since 8
        ({"now": NOW._replace(depot_peak=16), "half": HALF._replace(depot_peak=16)}, True),
        ({"now": NOW._replace(depot_peak=26), "half": HALF._replace(depot_peak=26)}, False),
        ({"now": NOW._replace(depot_peak=99), "limits": LIMITS._replace(magazines=np.inf)}, True),
        ({"now": NOW._replace(nodes_peak=1_023)}, False),  # 21 since half the time, and as many more
        ({"now": NOW._replace(nodes_peak=1_012)}, True),
        ({"limits": LIMITS._replace(nodes=1_258)}, True),
        ({"limits": LIMITS._replace(nodes=1_256)}, False),
        ({"now": NOW._replace(callback_ns=4e6)}, False),  # 300 us each, before 100
        ({"now": NOW._replace(callback_ns=2.15e6)}, True),
    ],
)
def test_each_sign_of_unrest_is_enough(change, expected):
    given = {"quarter": QUARTER, "half": HALF, "now": NOW, "limits": LIMITS, "above_4g": 0}
    assert bool(rest.at_rest(**(given | {"stay_max_ns": 2e6} | change))) == expected


def test_limits_are_those_of_load_and_depot():
    rows = [
        LOAD | {"horizon_s": 1.0},
        LOAD | {"hz": 250, "policy": "list", "iova_pages": "1:0.5,8:0.5"},
        LOAD | {"burst_period_us": 50_000.0, "policy": "list_untrimmed", "dma32_first": False},
        LOAD | {"horizon_s": 22.0, "policy": "array"},
    ]
    every = [rest.Limits(*(v[0] for v in params.from_columns(table([row])).limits)) for row in rows]
    assert [limit.earliest_ns for limit in every] == pytest.approx([0.352e9, 0.512e9, 1.6e9, 22e9 / 16])
    assert [limit.magazines for limit in every] == [128, 8, np.inf, 32]
    assert [limit.nodes for limit in every] == [2**20, 2**20 / 4.5, np.inf, 2**20]
    assert [limit.rearm_ns for limit in every] == pytest.approx([11e6, 16e6, 11e6, 11e6])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"burst_period_us": 300.0, "unmap_burst": 16, "policy": "list_untrimmed"},
        {"iova_pages": "1:0.9,32:0.1", "cpus": 16},
        {"phase": "aligned", "burst_period_us": 4_000.0},
        {"policy": "list", "cpus": 48, "unmap_burst": 24, "burst_period_us": 9_000.0, "free_cpu_shift": 3},
        {"dma32_first": False},
        {"strict": True},
        {"horizon_s": 8.0, "burst_period_us": 3_000.0},
    ],
)
def test_a_load_at_rest_counts_what_the_whole_run_counts(change, monkeypatch):
    scenario = table([LOAD | change])
    early = events.run(scenario)
    assert EARLIEST_MS <= early["simulated_ms"][0] <= 0.4e3 * scenario["horizon_s"][0]
    monkeypatch.setattr(rest, "CALLBACKS", NEVER)
    whole = events.run(scenario)
    assert whole["simulated_ms"][0] == 1e3 * scenario["horizon_s"][0]
    assert early["rbtree_erases"][0] == whole["rbtree_erases"][0] == 0
    for name, relative, absolute in (
        ("ops_completed", 0.005, 0),
        ("iotlb_flushes", 0.02, 2),
        ("iovas_drained_by_timer", 0.08, 100),
        ("iovas_drained_locally", 0.02, 100),
        ("callback_count", 0.02, 1),
        ("callback_mean_ms", 0.05, 0.005),
        ("callback_p99_ms", 0.1, 0.01),
        ("callback_max_ms", 0.1, 0.01),
        ("rbtree_lock_acquisitions", 0.12, 10),
        ("rbtree_walk_steps", 0.12, 10),
        ("iova_nodes_peak", 0.05, 0),
        ("magazines_peak", 0.05, 3),
    ):
        assert early[name][0] == pytest.approx(whole[name][0], rel=relative, abs=absolute), name


@pytest.mark.parametrize(
    "change",
    [
        {"policy": "list", "horizon_s": 0.8},  # a depot of 8 is trimmed
        {"iova_pages": "32", "in_flight": 3_900, "horizon_s": 0.5},
        {"iova_pages": "64", "horizon_s": 0.5},
        {"fq_entry_remote_ns": 30_000.0, "horizon_s": 0.5},
        {"horizon_s": 0.35},
        {"active_cpus": 1},  # its bursts beat against the ticks
    ],
)
def test_a_load_that_is_not_at_rest_is_followed_to_its_horizon(change):
    scenario = table([LOAD | change])
    assert events.run(scenario)["simulated_ms"] == 1e3 * scenario["horizon_s"]


def test_long_runs_of_the_reference_machine_are_told_from_their_beginnings():
    """Of 80 loads of 8 to 20 s the three that take the least; benchmarks/model_agreement.py takes them all."""
    cases = read_cases(DATA)
    groups = by_scenario(cases)
    whole_s = expected_seconds(columns(cases))
    groups = sorted((group for group in groups if whole_s[group[0]] > 0), key=lambda group: whole_s[group[0]])
    light = [cases[i] for group in groups[:3] for i in group]
    counted = task.count(columns(light))
    assert counted["simulated_ms"].sum() < 0.5e3 * sum(case.scenario["horizon_s"] for case in light)
    for name, within, floor in (
        ("ops_completed", 0.01, 0.0),
        ("callback_mean_ms", 0.1, 0.02),
        ("callback_max_ms", 0.25, 0.02),
        ("iova_nodes_peak", 0.05, 0.0),
    ):
        figures = [[row[name] for row in case.seeds] for case in light]
        assert max(abs(error(v, f, floor)) for v, f in zip(counted[name], figures, strict=True)) < within, name


def test_a_depot_s_results_do_not_depend_on_the_others_that_share_its_run():
    """Some are at rest, the smallest overflows: it goes on alone, and so does what it stood for."""
    load = LOAD | {"cpus": 40, "unmap_burst": 60, "in_flight": 130, "burst_period_us": 5_200.0, "phase": "aligned"}
    load |= {"horizon_s": 1.0}
    scenarios = table([load | {"policy": name} for name in ("array", "array_cpus", "array_128mags", "list_untrimmed")])
    together = events.run(scenarios)
    assert (together["simulated_ms"] < 1_000).tolist() == [False, False, True, True]
    for row in range(4):
        assert_same_bits(rows_of(together, [row]), events.run(rows_of(scenarios, [row])))


def test_who_will_be_at_rest_is_mostly_known_before():
    rows = [
        LOAD,
        LOAD | {"horizon_s": 0.1},
        LOAD | {"policy": "list"},
        LOAD | {"iova_pages": "32", "in_flight": 4_500},
        LOAD | {"iova_pages": "64"},
        LOAD | {"fq_entry_remote_ns": 60_000.0},
    ]
    assert cost.simulated_s(table(rows)) == pytest.approx([0.352, 0.1, 1.408, 2.0, 2.0, 2.0])
