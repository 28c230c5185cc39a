"""Grids: all combinations once, in order, and what counts before what."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.config import GridConfig, Library
from sweep.plan.grid import expand, notes
from workers.policy import POLICY_KEYS
from workers.schema import DEPOT_COLUMNS, SCENARIO_COLUMNS, ScenarioError
from workers.tables import complete_columns

DEPOT = dict.fromkeys(POLICY_KEYS, 1) | {"depot_kind": "array", "depot_capacity_per_cpu": 2}
LIBRARY = Library(
    depot=dict.fromkeys(("array", "list"), DEPOT),
    host={"fast": {"rb_visit_ns": 5.0, "rb_erase_ns": 6.0}, "slow": {"rb_visit_ns": 100.0}},
    workload={
        "nic": {"unmap_burst": 64, "burst_period_us": 640.0, "in_flight": 512},
        "disk": {"unmap_burst": 8, "unmap_rate_per_s": 1000.0, "in_flight": 32, "iova_pages": "32"},
    },
)
LOAD = {"cpus": 8, "unmap_burst": 4, "burst_period_us": 1000, "in_flight": 16}


def table(
    all_hosts: dict[str, Any] | None = None, all_loads: dict[str, Any] | None = None, **grid: Any
) -> dict[str, Any]:
    plan = expand(GridConfig(**grid), all_hosts or {}, all_loads or {}, LIBRARY)
    every = np.arange(len(plan))
    return {"id": plan.ids(every), **plan.rows(every)}


def test_every_combination_once_with_the_last_axis_fastest() -> None:
    rows = table(**LOAD | {"cpus": [8, 16], "policy": ["array", "list"], "iova_pages": ["1", "64"]})
    seen = list(zip(rows["cpus"], rows["iova_pages"], rows["policy"], strict=True))
    assert seen == list(itertools.product([8, 16], ["1", "64"], ["array", "list"]))
    assert list(rows) == [c.name for c in (*SCENARIO_COLUMNS, *DEPOT_COLUMNS)]
    assert rows["depot_capacity"].tolist() == [2 * cpus for cpus in rows["cpus"]]
    assert rows["active_cpus"].tolist() == rows["cpus"].tolist()
    assert len(set(rows["id"])) == 8


@given(
    st.lists(st.integers(1, 4096), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(16, 99), min_size=1, max_size=5, unique=True),
)
def test_the_order_of_keys_does_not_matter(cpus: list[int], in_flight: list[int]) -> None:
    one = table(**LOAD | {"cpus": cpus, "in_flight": in_flight})
    other = table(**dict(reversed((LOAD | {"cpus": cpus, "in_flight": in_flight}).items())))
    assert len(one["id"]) == len(cpus) * len(in_flight)
    assert one["id"].tolist() == other["id"].tolist()


def test_grid_before_workload_before_host_before_defaults() -> None:
    rows = table(
        all_hosts={"rb_visit_ns": 1.0, "rb_erase_ns": 2.0},
        all_loads={"in_flight": 99, "hz": 1000},
        **LOAD | {"rb_visit_ns": [7.0]},
    )
    figures = [rows[name].item() for name in ("rb_visit_ns", "rb_erase_ns", "rb_insert_ns", "in_flight", "hz")]
    assert figures == [7.0, 2.0, 40.0, 16, 1000]


def test_hosts_and_workloads_as_axes() -> None:
    rows = table(cpus=8, host=["fast", "slow"], workload=["nic", "disk"])
    assert rows["rb_visit_ns"].tolist() == [5, 5, 100, 100]
    assert rows["rb_erase_ns"].tolist() == [6, 6, 40, 40]  # slow names no rb_erase_ns: the default
    assert rows["unmap_burst"].tolist() == [64, 8] * 2
    assert rows["burst_period_us"].tolist() == [640, 8000] * 2
    assert rows["iova_pages"].tolist() == ["1", "32"] * 2


def test_the_rate_stands_for_the_period_and_puts_out_a_lower_one() -> None:
    rows = table(cpus=8, workload=["nic"], unmap_burst=[16, 64], unmap_rate_per_s=[1000, 4000])
    np.testing.assert_allclose(rows["burst_period_us"], [16000, 4000, 64000, 16000])
    rows = table(cpus=8, workload=["disk"], burst_period_us=[77.0])
    assert rows["burst_period_us"].tolist() == [77.0]


def test_points_times_axes() -> None:
    points = [
        {**LOAD, "name": "a", "policy": ["array", "list"], "reported": "22 s", "assumed": None},
        {"cpus": 4, "host": "slow", "workload": "nic", "name": "b", "sources": ["a bug", "a mail"]},
    ]
    rows = table(points=points, seed=[1, 2])
    assert rows["id"].tolist() == ["a:array:1", "a:array:2", "a:list:1", "a:list:2", "b:1", "b:2"]
    assert rows["policy"].tolist() == ["array"] * 2 + ["list"] * 2 + ["array"] * 2
    assert rows["rb_visit_ns"].tolist() == [12] * 4 + [100] * 2
    assert rows["in_flight"].tolist() == [16] * 4 + [512] * 2
    assert notes(GridConfig(points=points)) == [
        {"point": "a", "reported": "22 s"},
        {"point": "b", "sources": ["a bug", "a mail"]},
    ]


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({}, "grid: it is empty"),
        ({"cpus": []}, "grid.cpus: an empty list"),
        ({"cpus": 8, "in_flight": 16, "burst_period_us": 1}, "unmap_burst: missing"),
        ({"cpus": 8}, "no default: give grid.unmap_burst=[...] or workload=NAME"),
        ({"cpus": 8, "in_flight": 16, "unmap_rate_per_s": 1}, "unmap_burst: missing"),
        (LOAD | {"unmap_burst": 17}, "unmap_burst: 17 was given; allowed is at most in_flight (16)"),
        (LOAD | {"active_cpus": 9}, "active_cpus: 9 was given"),
        (LOAD | {"unmap_rate_per_s": 5}, "grid.unmap_rate_per_s: given beside burst_period_us"),
        (LOAD | {"burst_period_us": None, "unmap_rate_per_s": 1e8}, "unmap_rate_per_s: 1e+08 was given; in bursts"),
        (LOAD | {"host": ["fats"]}, "grid.host: 'fats' was given; allowed are fast, slow"),
        (LOAD | {"points": [{"workload": "nik"}]}, "grid.workload: 'nik' was given; allowed are disk, nic"),
        (LOAD | {"points": [{"cpus": 4}]}, "grid.cpus: an axis, and given by grid.points too"),
        ({"points": [LOAD | {"cpsu": 4}]}, "grid.points, point 1: cpsu is unknown"),
        ({"points": [LOAD, LOAD | {"cpus": 0}]}, "grid.points, point 2: cpus: 0 was given"),
        ({"points": [LOAD | {"name": ["a", "b"]}]}, "grid.points, point 1: name: ['a', 'b'] was given; allowed is one"),
        ({"points": [LOAD | {"name": "a"}] * 2}, "id: 'a' was given in rows 1 and 2"),
    ],
)
def test_refusals(grid: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        table(**grid)
    assert told in str(refusal.value)


def test_a_workload_that_the_grid_covers_is_refused() -> None:
    with pytest.raises(ScenarioError, match="workload: without effect"):
        table(all_loads={"unmap_burst": 4, "unmap_rate_per_s": 9.0}, **LOAD)


def test_rows_are_those_of_the_whole_table_and_complete() -> None:
    """Looked up one by one, in any order, and as ``complete_columns`` would have them."""
    grid = LOAD | {"cpus": [8, 16], "in_flight": [16, 32, 64], "seed": [1, 2], "workload": ["disk"], "iova_pages": "1"}
    del grid["burst_period_us"], grid["unmap_burst"]
    plan = expand(GridConfig(**grid), {"rb_visit_ns": 3.0}, {}, LIBRARY)
    numbers = np.random.default_rng(1).permutation(len(plan))
    rows, ids = plan.rows(numbers), plan.ids(numbers)
    whole = plan.rows(np.arange(len(plan)))
    for name, values in rows.items():
        assert values.tolist() == whole[name][numbers].tolist()
    complete = complete_columns({c.name: rows[c.name] for c in SCENARIO_COLUMNS if c.name != "id"})
    assert ids.tolist() == complete["id"].tolist()
    for name, values in complete.items():
        assert name == "id" or (values.tolist() == rows[name].tolist() and values.dtype == rows[name].dtype)


def test_the_digest_is_of_what_the_rows_are() -> None:
    def digest(**grid: Any) -> str:
        return expand(GridConfig(**LOAD | grid), {}, {}, LIBRARY).digest()

    assert digest(cpus=[8, 16]) == digest(cpus=[8, 16], hz=250)
    assert len({digest(cpus=cpus, hz=hz) for cpus in ([8, 16], [16, 8], [8]) for hz in (100, 250)}) == 6


def test_a_hundred_million_rows_and_no_more() -> None:
    axes = {"cpus": {"start": 1, "stop": 4096, "num": 4000}, "in_flight": {"start": 16, "stop": 40_000, "num": 5000}}
    plan = expand(GridConfig(**LOAD | axes | {"hz": [100, 250, 300, 1000, 2000]}), {}, {}, LIBRARY)
    assert len(plan) == 100_000_000
    assert plan.rows(np.array([len(plan) - 1]))["cpus"].tolist() == [4096]
    with pytest.raises(ScenarioError, match="grid: 120,000,000 scenarios were given; allowed are at most 100,000,000"):
        expand(GridConfig(**LOAD | axes | {"seed": [1, 2, 3, 4, 5, 6]}), {}, {}, LIBRARY)


@pytest.mark.parametrize(
    "grid",
    [
        {"seed": {"start": 0, "stop": 999_999, "num": 1_000_000}, "in_flight": {"start": 9, "stop": 9008, "num": 9000}},
        {"points": [{"seed": {"start": 0, "stop": 999_999, "num": 1_000_000}, "cpus": list(range(1, 201))}]},
    ],
)
def test_too_many_are_refused_before_they_are_worked_out(grid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a value was worked out")

    monkeypatch.setattr("sweep.plan.grid.axis_values", never)
    with pytest.raises(ScenarioError, match=r"grid: 9,000,000,000 scen|grid: 200,000,000 scen"):
        expand(GridConfig(**grid), {}, {}, LIBRARY)


def test_too_many_of_a_spec_without_num() -> None:
    doubled = {"start": 1, "stop": 2**25, "scale": "log2"}
    grid = LOAD | {"burst_period_us": doubled, "exposure_s": doubled}
    grid |= {"seed": {"start": 0, "stop": 199_999, "num": 200_000}}
    with pytest.raises(ScenarioError, match="allowed are at most 100,000,000"):
        expand(GridConfig(**grid), {}, {}, LIBRARY)


def test_a_hundred_thousand_rows() -> None:
    rows = table(
        **LOAD
        | {"cpus": list(range(8, 58)), "in_flight": list(range(16, 66)), "seed": list(range(20)), "hz": [100, 1000]}
    )
    assert len(set(rows["id"])) == 100_000
