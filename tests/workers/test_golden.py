"""The model against the kernel's own code in virtual time: recorded scenarios, and three kinds of load that decide.

All lanes run as one batch. A stay's class: below the re-arm period, below 1 s, longer. Runs end at their horizons, as
what they see beyond them is of events/test_run.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers import hazard
from workers.delicate import expected_seconds
from workers.jiffies import rearm_period_ms
from workers.schema import Columns
from workers.task import simulate

DATA = Path(__file__).parents[1] / "data" / "truth_rows.jsonl"
MOST_S = 5.0
"""Recorded scenarios that are foreseen to take longer are left to benchmarks/model_agreement.py."""

POLICIES = ("array", "list")
RECORDED = [json.loads(line) for line in DATA.read_text().splitlines()]
with pytest.MonkeyPatch.context() as to_the_horizon:
    to_the_horizon.setattr(hazard, "ENOUGH_S", 0.0)
    SECONDS = [expected_seconds(table([row["scenario"] | {"policy": name} for row in RECORDED])) for name in POLICIES]
TRUTH = [row for row, most_s in zip(RECORDED, np.maximum(*SECONDS), strict=True) if most_s <= MOST_S]

# Each was checked on the reference machine: stays of 1.4 to 2 s; of 2.4 to 2.9 s in 3 s and below 5 ms; below 0.3 ms.
OVERSIZE = [
    {"cpus": 128, "in_flight": 128, "iova_pages": "64", "horizon_s": 2.0}
    | {"unmap_burst": burst, "burst_period_us": period_us, "seed": seed}
    for burst, period_us, seed in ((64, 10e3, 3), (128, 20e3, 4))
]
NEARLY_FULL = [
    {"cpus": cpus, "in_flight": in_flight, "iova_pages": "16", "horizon_s": 1.2}
    | {"unmap_burst": burst, "burst_period_us": period_us, "seed": seed}
    for cpus, in_flight, burst, period_us, seed in (
        (128, 480, 250, 10e3, 1),
        (192, 330, 192, 10e3, 3),
        (384, 160, 121, 11e3, 4),
    )
]
LIGHT = [
    {"cpus": cpus, "in_flight": in_flight, "iova_pages": pages, "horizon_s": 1.0}
    | {"unmap_burst": burst, "burst_period_us": period_us, "seed": seed}
    for cpus, pages, in_flight, burst, period_us, seed in (
        (128, "1", 128, 16, 20e3, 1),
        (64, "16", 256, 32, 10e3, 2),
        (256, "4", 64, 8, 20e3, 3),
        (32, "32", 100, 20, 5e3, 4),
        (16, "64", 64, 8, 20e3, 5),
    )
]
GROUPS = {"truth": [t["scenario"] for t in TRUTH], "oversize": OVERSIZE, "full": NEARLY_FULL, "light": LIGHT}


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], Columns]:
    """The results of each group of scenarios under each policy."""
    keys = [(group, policy) for group in GROUPS for policy in POLICIES]
    rows = [
        row | {"policy": policy, "id": f"{group} {policy} {i}"}
        for group, policy in keys
        for i, row in enumerate(GROUPS[group])
    ]
    with pytest.MonkeyPatch.context() as to_the_horizon:
        to_the_horizon.setattr(hazard, "ENOUGH_S", 0.0)
        out = simulate(table(rows))
    ends = np.cumsum([len(GROUPS[group]) for group, _ in keys])[:-1]
    parts = {name: np.split(values, ends) for name, values in out.items()}
    return {key: {name: part[i] for name, part in parts.items()} for i, key in enumerate(keys)}


def stay_class(residency_ms: float, hz: int) -> int:
    return int(residency_ms >= rearm_period_ms(np.array(hz))) + int(residency_ms >= 1000)


def compared(results, policy: str) -> list[tuple[int, set[int], float, float]]:
    """For each recorded scenario: the model's class, the truth's, the model's callback mean and the truth's, in ms."""
    out = results["truth", policy]
    lines = []
    for i, truth in enumerate(TRUTH):
        hz = truth["scenario"].get("hz", 250)
        real = {stay_class(r["softirq_residency_max_ms"], hz) for r in truth[policy]}
        ours = stay_class(out["softirq_residency_max_ms"][i], hz)
        mean_ms = float(np.mean([r["callback_mean_ms"] for r in truth[policy]]))
        lines.append((ours, real, float(out["callback_mean_ms"][i]), mean_ms))
    return lines


def test_the_recorded_scenarios_are_of_all_classes():
    hz = [t["scenario"].get("hz", 250) for t in TRUTH]
    kinds = [
        max(stay_class(r["softirq_residency_max_ms"], ticks) for r in t["array"])
        for t, ticks in zip(TRUTH, hz, strict=True)
    ]
    assert [kinds.count(kind) for kind in (0, 1, 2)] == [6, 2, 5]


@pytest.mark.parametrize("policy", POLICIES)
def test_light_and_chained_are_told_apart(results, policy):
    lines = compared(results, policy)
    wrong = [line for line in lines if (line[0] > 0) not in {kind > 0 for kind in line[1]}]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("policy", POLICIES)
def test_classes_of_residency(results, policy):
    wrong = [line for line in compared(results, policy) if line[0] not in line[1]]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("policy", POLICIES)
def test_callbacks_of_calm_scenarios_take_as_long(results, policy):
    errors = [abs(ours / real - 1) for _, kinds, ours, real in compared(results, policy) if kinds == {0}]
    assert np.median(errors) < 0.1
    assert sorted(errors)[int(0.9 * len(errors))] < 0.25


def test_callbacks_of_chains_take_as_long_in_order_of_magnitude(results):
    ratios = [ours / real for _, kinds, ours, real in compared(results, "array") if 0 not in kinds]
    assert 1 / 1.7 < np.median(ratios) < 1.7
    assert sum(not 1 / 3 < ratio < 3 for ratio in ratios) <= 2, ratios


@pytest.mark.parametrize("policy", POLICIES)
def test_calm_scenarios_get_their_work_done(results, policy):
    out = results["truth", policy]
    for i, truth in enumerate(TRUTH):
        if compared(results, policy)[i][1] == {0}:
            for name, tolerance in (("ops_completed", 0.05), ("iova_nodes_peak", 0.15)):
                assert out[name][i] == pytest.approx(truth[policy][0][name], rel=tolerance), (name, i)


@pytest.mark.parametrize("policy", POLICIES)
def test_oversize_iovas_pass_1_s_under_both_depots(results, policy):
    assert (results["oversize", policy]["softirq_residency_max_ms"] > 1000).all()


def test_oversize_iovas_never_meet_the_depot(results):
    array, list_ = (results["oversize", policy] for policy in POLICIES)
    for name in ("callback_max_ms", "softirq_residency_max_ms", "rbtree_erases", "ops_completed"):
        assert array[name].tolist() == list_[name].tolist()
    assert not array["depot_magazines_peak"].any()


def test_a_nearly_full_32_bit_space_passes_half_a_second_before_the_patch_only(results):
    assert (results["full", "array"]["softirq_residency_max_ms"] > 500).all()
    assert (results["full", "list"]["softirq_residency_max_ms"] < 16).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_light_loads_stay_below_the_rearm_period(results, policy):
    assert (results["light", policy]["softirq_residency_max_ms"] < 16).all()
    assert (results["light", policy]["verdict"] == "ok").all()
