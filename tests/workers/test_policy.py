"""Policies: what the columns of a row are under each file of conf/depot, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from workers.policy import POLICY_KEYS, depot_columns, depot_values
from workers.reference.policies import policies
from workers.schema import DEPOT_COLUMNS, ScenarioError

ARRAY = {
    "depot_kind": "array",
    "depot_capacity": 32,
    "depot_capacity_per_cpu": 0,
    "trim_threshold_per_cpu": 0,
    "trim_period_ms": 0,
    "trim_magazines": 0,
    "magazine_pfns": 128,
    "magazine_bytes": 2048,
    "flush_queue_bytes_per_cpu": 8208,
}
LIST = ARRAY | {"depot_kind": "list", "depot_capacity": 0, "trim_threshold_per_cpu": 1, "trim_period_ms": 100}


def test_all_columns_and_no_other():
    assert set(ARRAY) == set(POLICY_KEYS)
    assert list(depot_values("a", ARRAY, 8)) == [c.name for c in DEPOT_COLUMNS]


@pytest.mark.parametrize(("per_cpu", "cpus", "capacity"), [(0, 512, 32), (1, 8, 32), (1, 33, 33), (2, 100, 200)])
def test_capacity_is_the_larger_of_both(per_cpu, cpus, capacity):
    assert depot_values("a", ARRAY | {"depot_capacity_per_cpu": per_cpu}, cpus)["depot_capacity"] == capacity


def test_the_list_keeps_one_magazine_a_cpu():
    assert depot_values("l", LIST, 96)["trim_threshold"] == 96


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"depot_kind": "heap"}, "depot_kind: 'heap' was given"),
        ({"magazine_pfns": 0}, "magazine_pfns: 0 was given"),
        ({"magazine_pfns": 1.5}, "magazine_pfns: 1.5 was given"),
        ({"trim_period_ms": float("nan")}, "trim_period_ms: nan was given"),
        ({"trim_threshold_per_cpu": -1}, "policy mine: trim_threshold_per_cpu: -1 was given"),
        ({"depot_capacity_per_cpu": -1}, "policy mine: depot_capacity_per_cpu: -1 was given; allowed is a whole"),
        ({"depot_capacity": -1}, "policy mine: depot_capacity: -1 was given; allowed is a whole number from 0 to"),
        ({"trim_threshold_per_cpu": 1 << 30}, "policy mine on 8 CPUs: trim_threshold: 8589934592 was given"),
        ({"depot_size": 32}, "depot_size is unknown or missing"),
    ],
)
def test_bad_policies_are_refused_by_name(change, says):
    with pytest.raises(ScenarioError, match=says):
        depot_values("mine", ARRAY | change, 8)


@pytest.mark.parametrize("key", POLICY_KEYS)
def test_no_key_may_be_missing(key):
    with pytest.raises(ScenarioError, match=f"policy mine: {key} is unknown or missing"):
        depot_values("mine", {k: v for k, v in ARRAY.items() if k != key}, 8)


def test_a_negative_capacity_is_refused():
    with pytest.raises(ScenarioError, match="depot_capacity: -1 was given"):
        depot_values("mine", ARRAY | {"depot_capacity": -1}, 8)


def test_each_row_gets_what_its_policy_means_for_its_cpus() -> None:
    depots = policies()
    names = np.array(sorted(depots) * 2, object)
    cpus = np.array([8, 64, 512] * len(names))[: len(names)]
    table = depot_columns({"policy": names, "cpus": cpus}, depots)
    assert list(table) == [c.name for c in DEPOT_COLUMNS]
    for row, (name, count) in enumerate(zip(names, cpus, strict=True)):
        wanted = depot_values(name, depots[name], int(count))
        assert {key: values[row] for key, values in table.items()} == wanted


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ScenarioError, match="policy: 'heap' was given; allowed are array"):
        depot_columns({"policy": np.array(["heap"], object), "cpus": np.array([8])}, {"array": {}})
