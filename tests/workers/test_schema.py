"""The schema itself, and the rules of single values (whole tables: test_points.py)."""

from __future__ import annotations

import pytest

from workers.schema import (
    COST_COLUMNS,
    DEPOT_COLUMNS,
    RESULT_COLUMNS,
    SCENARIO_COLUMNS,
    ScenarioError,
    check_value,
    column,
    parse_iova_pages,
)
from workers.tables import complete_row

NUMBERS = [c for c in SCENARIO_COLUMNS if c.kind in (int, float)]
ROW = {"cpus": 8, "unmap_burst": 4, "burst_period_us": 1000, "in_flight": 16}


def test_names_are_unique_and_defaults_allowed():
    names = [c.name for c in (*SCENARIO_COLUMNS, *DEPOT_COLUMNS, *RESULT_COLUMNS)]
    assert len(names) == len(set(names))
    for given in SCENARIO_COLUMNS:
        if given.default is not None:
            assert check_value(given, given.default) == given.default


def test_the_reference_notes_defaults():
    costs = {c.name: c.default for c in COST_COLUMNS}
    assert list(costs.values()) == [12, 40, 40, 25, 60, 15, 100, 150, 8, 60, 2000, 250, 250]
    row = complete_row(ROW)
    told = {"active_cpus": 8, "iova_pages": "1", "phase": "random", "free_cpu_shift": 0, "dma32_first": True}
    told |= {"strict": False, "domains": 1, "hz": 250, "rcu_stall_s": 60, "seed": 0, "horizon_s": 3}
    told |= {"exposure_s": 3600, "policy": "array"}
    assert {name: row[name] for name in told} == told


@pytest.mark.parametrize(
    ("text", "sizes", "weights"),
    [
        ("32", (32,), (1,)),
        ("1,8", (1, 8), (0.5, 0.5)),
        ("1:0.7,32:0.3", (1, 32), (0.7, 0.3)),
        ("1:3,8", (1, 8), (0.75, 0.25)),
        ("1048576", (1048576,), (1,)),
    ],
)
def test_sizes(text, sizes, weights):
    parsed = parse_iova_pages(text)
    assert parsed[0] == sizes
    assert parsed[1] == pytest.approx(weights)


@pytest.mark.parametrize("text", ["", "0", "1048577", "1,1", "1:0", "1:-2", "1:nan", "1:inf", "a", "1;8", "1.5", "1:"])
def test_bad_sizes_are_refused(text):
    with pytest.raises(ScenarioError, match=r"iova_pages: .* was given; allowed are sizes of 1 to 1048576 pages"):
        parse_iova_pages(text)


@pytest.mark.parametrize("name", [c.name for c in NUMBERS if c.name != "seed"])
def test_limits_belong_to_what_is_allowed(name):
    col = column(name)
    for limit in (col.low, col.high):
        assert check_value(col, limit) == limit
    for value in (col.low - 1, col.high * 2 + 1, float("nan"), float("inf"), "x", True, None):
        with pytest.raises(ScenarioError, match=f"{name}: .* was given; allowed is a"):
            check_value(col, value)


def test_rules_between_columns():
    with pytest.raises(ScenarioError, match=r"unmap_burst: 17 was given; allowed is at most in_flight \(16\)"):
        complete_row(ROW | {"unmap_burst": 17})
    with pytest.raises(ScenarioError, match=r"active_cpus: 9 was given; allowed is at most cpus \(8\)"):
        complete_row(ROW | {"active_cpus": 9})


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_large_seeds_stay_as_they_are(seed):
    assert check_value(column("seed"), str(seed)) == check_value(column("seed"), seed) == seed
