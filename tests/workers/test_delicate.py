"""Which scenarios leave the slices, and that they come back settled."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers import cost, delicate
from workers.events import run as events
from workers.schema import RESULT_COLUMNS
from workers.slices import params, run, timer
from workers.slices.state import initial
from workers.task import estimate_seconds, simulate

CALM = {"cpus": 8, "unmap_burst": 16, "burst_period_us": 4000.0, "in_flight": 64, "horizon_s": 0.1}
NEAR = CALM | {"cpus": 64, "unmap_burst": 48, "in_flight": 300, "burst_period_us": 8000.0, "fq_entry_remote_ns": 2500.0}
"""Its callbacks take half of the re-arm period."""

MANY = {"cpus": 128, "unmap_burst": 192, "burst_period_us": 19_200.0, "in_flight": 256}
MANY |= {"fq_entry_remote_ns": 60.0, "rb_visit_ns": 110.0}
"""20,000 entries a callback; an array has room for 4,096."""


@pytest.fixture(autouse=True)
def nothing_is_cheap(monkeypatch):
    """Else small loads, which is what tests have time for, would be followed for that."""
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)


def settled_by_events(row: dict, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether simulate() runs the events, and then gives what they count."""
    run_events, ran = events.run, []
    monkeypatch.setattr(events, "run", lambda scenarios: ran.append(run_events(scenarios)) or ran[-1])
    found = simulate(table([row]))
    for counted in ran:
        assert all(found[c.name][0] == counted[c.name][0] for c in RESULT_COLUMNS if c.name in counted)
    return len(ran) == 1


@pytest.mark.parametrize(
    ("row", "delicate_from_the_start", "left"),
    [
        (CALM, False, False),
        (CALM | {"iova_pages": "64"}, True, True),
        (CALM | {"iova_pages": "1:0.99,33:0.01"}, True, True),
        (CALM | {"phase": "aligned"}, True, True),
        (CALM | {"policy": "list", "cpus": 64, "burst_period_us": 999.0}, True, True),
        (CALM | {"policy": "list", "cpus": 64, "burst_period_us": 1000.0}, False, False),
        (NEAR | {"policy": "list"}, True, True),
        (NEAR | {"policy": "list", "fq_entry_remote_ns": 60.0}, False, False),  # 48 magazines, 64 stay in the depot
        (NEAR | {"policy": "list", "fq_entry_remote_ns": 60.0, "unmap_burst": 52}, True, True),  # 52 of 64: is trimmed
        (NEAR | {"policy": "list_untrimmed", "fq_entry_remote_ns": 60.0, "unmap_burst": 52}, False, False),
        (NEAR | {"fq_entry_remote_ns": 60.0}, True, True),  # 48 magazines a callback, 32 have room
        (NEAR | {"fq_entry_remote_ns": 60.0, "policy": "array_128mags", "unmap_burst": 16}, False, False),
        (NEAR | {"fq_entry_remote_ns": 60.0, "unmap_burst": 6}, False, False),  # as many magazines: 0.19 of an array
        (NEAR | {"fq_entry_remote_ns": 60.0, "unmap_burst": 7}, True, True),
    ],
)
def test_each_rule_finds_its_delicate_loads(row, delicate_from_the_start, left, monkeypatch):
    scenario = table([row])
    assert delicate.from_the_start(scenario).tolist() == [delicate_from_the_start]
    assert run.run(scenario)["delicate"].tolist() == [left]
    assert settled_by_events(row, monkeypatch) == left


def test_a_callback_that_was_not_foreseen_is_found(monkeypatch):
    monkeypatch.setattr(delicate, "NEAR_FORESEEN", np.inf)
    scenario = table([NEAR | {"policy": "list"}, CALM])
    assert delicate.from_the_start(scenario).tolist() == [False, False]
    assert run.run(scenario)["delicate"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"policy": "list"}, True),
        ({"policy": "list", "fq_entry_remote_ns": 60.0}, False),
        ({"policy": "array", "fq_entry_remote_ns": 60.0}, True),
        ({"fq_entry_remote_ns": 60.0, "phase": "aligned"}, True),
        ({"fq_entry_remote_ns": 60.0, "iova_pages": "64"}, True),
        ({"strict": True}, False),
        ({"cpus": 256, "fq_entry_remote_ns": 500.0, "policy": "list"}, True),
        ({"cpus": 256, "fq_entry_remote_ns": 60.0, "policy": "list"}, False),
        (MANY | {"policy": "array"}, True),
        (MANY | {"policy": "list"}, True),  # 160 magazines a callback, 128 stay in the depot
        (MANY | {"policy": "list_untrimmed"}, False),
    ],
)
def test_who_is_delicate_is_mostly_known_before(change, expected):
    scenario = table([NEAR | change])
    assert (delicate.expected_seconds(scenario)[0] > 0) == expected
    assert bool(run.run(scenario)["delicate"][0]) == expected


def test_a_delicate_lane_leaves_the_others_as_they_are(monkeypatch):
    monkeypatch.setattr(delicate, "NEAR_FORESEEN", np.inf)
    near = NEAR | {"policy": "list"}
    alone, among = run.run(table([CALM])), run.run(table([near, CALM, near | {"seed": 1}]))
    assert among["delicate"].tolist() == [True, False, True]
    assert {name: values[0] for name, values in alone.items()} == {name: values[1] for name, values in among.items()}


def test_what_costs_little_is_followed(monkeypatch):
    scenarios = table([CALM, CALM | {"cpus": 256, "burst_period_us": 1000.0, "policy": "list_untrimmed"}])
    assert not delicate.from_the_start(scenarios).any()
    monkeypatch.setattr(delicate, "AMONG_FEW", 20.0)
    assert delicate.followed(scenarios).tolist() == [True, False]
    assert run.run(scenarios)["delicate"].tolist() == [True, False]
    assert (delicate.expected_seconds(scenarios) > 0).tolist() == [True, False]
    monkeypatch.setattr(delicate, "AMONG_FEW", 1e-3)
    assert not delicate.followed(scenarios).any()


@pytest.mark.parametrize(
    "change",
    [
        {"burst_period_us": 50.0, "iova_pages": "1", "phase": "aligned"},  # 2.5 million bursts/s
        {"in_flight": 100_000, "cpus": 32},  # 3.2 million IOVAs
        {"iova_pages": "262144", "in_flight": 10_000},  # 2^36 pages and more
        {"iova_pages": ",".join(str(pages) for pages in range(33, 33 + 256))},
    ],
)
def test_what_cannot_be_followed_event_by_event_stays_with_the_slices(change):
    scenario = table([CALM | {"cpus": 128, "iova_pages": "64", "horizon_s": 1e-3} | change])
    assert not delicate.affordable(scenario)[0]
    assert not run.run(scenario)["delicate"][0]


@pytest.mark.parametrize(("in_flight", "expected"), [(2047, True), (2049, False), (4095, False)])
def test_twice_the_space_in_flight_must_fit_into_2_to_the_35_pages(in_flight, expected):
    scenario = table([CALM | {"iova_pages": str(2**20), "in_flight": in_flight}])
    assert delicate.affordable(scenario).tolist() == [expected]


def test_a_lane_is_found_by_the_stay_that_goes_on_as_by_those_that_ended():
    p = params.from_columns(table([CALM | {"seed": seed} for seed in range(3)]))
    s = initial(p)
    rearm_ns = p.timer_jiffies * p.tick_ns
    s.lane_now_ns = s.lane_now_ns + 1e9
    s.lane_in_callback = np.array([True, True, False])
    s.lane_softirq_start_ns = s.lane_now_ns - np.array([1.01, 0.99, 1.5]) * timer.NEAR_CHAIN * rearm_ns
    assert timer.near_chain(s, p).tolist() == [True, False, False]
    s.count["residency_max_ns"] = np.array([0.0, 0.0, 1.0]) * timer.NEAR_CHAIN * rearm_ns
    assert timer.near_chain(s, p).tolist() == [True, False, True]


def test_the_watch_sees_every_lane_to_its_horizon():
    seen = []
    oversize = table([CALM | {"iova_pages": "64", "horizon_s": 0.02}])
    counted = run.run(oversize, lambda s, p: seen.append(s.lane_now_ns[0]))
    assert not counted["delicate"].any()
    assert seen[-1] == 2e7


def test_the_estimate_knows_that_oversize_iovas_are_followed_one_by_one():
    rows = [CALM, CALM | {"iova_pages": "64"}, CALM | {"iova_pages": "64", "burst_period_us": 40_000.0}]
    _, oversize_s, seldom_s = estimate_seconds(table(rows))
    alone_s, rare_s = cost.fill_seconds(table(rows[1:])) + 0.1 * cost.seconds(table(rows[1:]))
    assert (oversize_s, seldom_s) == pytest.approx((alone_s, rare_s))
    assert 0 < rare_s < alone_s / 5
