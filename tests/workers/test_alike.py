"""Depots that make no difference to a scenario share its run, and each still gets the results of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import POLICIES, table
from tests.workers.test_batching import assert_same_bits, rows_of
from workers import alike, cost, delicate
from workers.events import run as events
from workers.task import estimate_seconds, simulate

LOAD = {"cpus": 40, "unmap_burst": 30, "burst_period_us": 6e3, "in_flight": 70, "phase": "aligned", "horizon_s": 0.06}
"""Followed event by event; the timer finds some 3,200 IOVAs, 25 magazines."""

FULL = LOAD | {"unmap_burst": 60, "in_flight": 130}
"""50 magazines: too many for 32 or 40, not for 128."""

NEARLY_FULL = {"cpus": 8, "iova_pages": "1024", "unmap_burst": 20, "burst_period_us": 5e3, "in_flight": 119, "hz": 1000}
NEARLY_FULL |= {"horizon_s": 1.5}
"""Nine tenths of the space below 4 GiB; with more room it would keep its pace from 1.4 s on."""

OWN_RUNS = ["array", "array_127", "list", "list_127"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The policies whose scenarios were run event by event."""
    names: list[str] = []
    machine = events.machine

    def counting(scenario):
        names.append(scenario["policy"][0])
        return machine(scenario)

    monkeypatch.setattr(events, "machine", counting)
    return names


def under_every_policy(load: dict):
    return table([load | {"policy": policy} for policy in POLICIES])


@pytest.mark.parametrize(
    ("load", "runs"),
    [
        (LOAD, OWN_RUNS),
        (FULL, [*OWN_RUNS, "array_128mags", "array_cpus"]),
        (FULL | {"cpus": 32}, [*OWN_RUNS, "array_128mags"]),  # array_cpus is array there
        (LOAD | {"iova_pages": "64"}, ["array"]),
        (NEARLY_FULL, ["array"]),
        (LOAD | {"iova_pages": "8,64"}, OWN_RUNS),
    ],
)
def test_each_run_is_made_once_and_results_are_those_of_each_depot_alone(load, runs, ran):
    scenarios = under_every_policy(load)
    together = simulate(scenarios)
    assert sorted(ran) == sorted(runs)
    for row in range(len(POLICIES)):
        assert_same_bits(rows_of(together, [row]), simulate(rows_of(scenarios, [row])))


def test_what_only_turns_counts_into_results_makes_no_run_of_its_own(ran):
    scenarios = table(
        [LOAD, LOAD | {"domains": 7}, LOAD | {"exposure_s": 5.0}, LOAD | {"rcu_stall_s": 1.0}, LOAD | {"seed": 2}]
    )
    together = simulate(scenarios)
    assert len(ran) == 2
    for row in range(5):
        assert_same_bits(rows_of(together, [row]), simulate(rows_of(scenarios, [row])))
    assert together["memory_peak_bytes"][1] == 7 * together["memory_peak_bytes"][0]


def test_what_is_alike_has_one_load_and_magazine_and_is_not_trimmed():
    scenarios = table([LOAD | {"policy": policy, "seed": seed} for seed in (1, 2) for policy in POLICIES])
    names = list(zip(scenarios["seed"].tolist(), scenarios["policy"], strict=True))
    groups = [[names[row] for row in rows] for rows in alike.by_capacity(scenarios)]
    arrays = ("array", "array_cpus", "array_128mags", "list_untrimmed")
    expected = [[(seed, policy) for policy in arrays] for seed in (1, 2)]
    expected += [[(seed, policy)] for seed in (1, 2) for policy in ("list", "array_127", "list_127")]
    assert sorted(groups) == sorted(expected)


@pytest.mark.parametrize(("load", "runs"), [(LOAD, 4), (FULL, 6), (LOAD | {"iova_pages": "64"}, 1)])
def test_the_estimate_counts_a_run_once(load, runs):
    scenarios = under_every_policy(load)
    each_s = cost.fill_seconds(scenarios) + scenarios["horizon_s"] * cost.seconds(scenarios)
    own = delicate.expected_runs(scenarios) == np.arange(len(POLICIES))
    assert own.sum() == runs
    assert estimate_seconds(scenarios) == pytest.approx(np.where(own, each_s, 0.0))


def test_scenarios_in_slices_are_their_own_runs(monkeypatch):
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)
    scenarios = under_every_policy(LOAD | {"phase": "random", "burst_period_us": 50_000.0})
    assert not delicate.followed(scenarios).any()
    assert delicate.expected_runs(scenarios).tolist() == list(range(len(POLICIES)))
    assert (estimate_seconds(scenarios) > 0).all()
