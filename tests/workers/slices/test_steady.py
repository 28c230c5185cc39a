"""A steady lane's figures at its horizon are those of a simulation to the end; others are simulated to the end."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.in_slices import count
from tests.workers.scenarios import table
from workers import results
from workers.slices import params, run, steady
from workers.slices.state import WATCHED, initial

CALM = {"cpus": 16, "unmap_burst": 64, "burst_period_us": 6_400.0, "in_flight": 128, "horizon_s": 6.0}
ROWS = [
    CALM,
    CALM | {"iova_pages": "16", "policy": "list", "free_cpu_shift": 1, "burst_period_us": 12_800.0},
    CALM | {"iova_pages": "32", "burst_period_us": 20_000.0},
    CALM | {"unmap_burst": 128, "burst_period_us": 4_000.0},
    CALM | {"cpus": 48, "burst_period_us": 2_000.0, "horizon_s": 2.0},  # its array overflows
]
CHAINING = {"cpus": 8, "unmap_burst": 250, "in_flight": 6_000, "burst_period_us": 3_000.0, "iova_pages": "16"}
CHAINING |= {"rb_visit_ns": 100.0, "fq_entry_remote_ns": 20_000.0, "horizon_s": 0.8}
# more than 0.9 of the space below 4 GiB is in use
FULL = CALM | {"iova_pages": "16", "in_flight": 3_900, "horizon_s": 1.2}


@pytest.fixture(scope="module")
def both():
    """Results with and without foretelling, and how much of them was simulated, in ms."""
    scenarios = table(ROWS)
    counted = count(scenarios), run.run(scenarios, lambda s, p: None)
    return [results.finish(c, scenarios) for c in counted], [c["simulated_ms"] for c in counted]


def test_only_a_part_is_simulated(both):
    _, (foretold_ms, whole_ms) = both
    assert whole_ms.tolist() == [6_000, 6_000, 6_000, 6_000, 2_000]
    assert foretold_ms == pytest.approx([375, 375, 375, 375, 256], abs=1)


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("ops_completed", 0.01),
        ("callback_count", 0.03),
        ("callback_mean_ms", 0.03),
        ("iotlb_flushes", 0.03),
        ("iovas_drained_by_timer", 0.03),
        ("rbtree_erases", 0.02),
        ("rbtree_walk_steps", 0.06),
        ("rbtree_lock_acquisitions", 0.02),
        ("iova_nodes_peak", 0.02),
        ("magazines_peak", 0.02),
        ("memory_end_bytes", 0.08),  # at one moment of the cycle
    ],
)
def test_figures_are_those_of_the_whole_simulation(both, name, within):
    (foretold, whole), _ = both
    assert foretold[name] == pytest.approx(whole[name], rel=within)


def test_verdicts_too(both):
    (foretold, whole), _ = both
    assert foretold["verdict"].tolist() == whole["verdict"].tolist()


def test_a_lane_that_chains_is_simulated_to_the_end():
    counted = count(table([CHAINING]))
    assert counted["softirq_residency_max_ms"][0] > 16
    assert counted["simulated_ms"][0] == pytest.approx(800)


def test_a_load_beside_a_nearly_full_32_bit_space_is_simulated_to_the_end():
    rows = [FULL, FULL | {"policy": "list"}, FULL | {"dma32_first": False}, FULL | {"in_flight": 2_000}]
    counted = count(table(rows))
    assert counted["simulated_ms"] == pytest.approx([1_200, 1_200, 256, 256], abs=1)
    assert 0 < counted["rbtree_erases"][1] < 5 * 128  # a list is trimmed too seldom to know how often


def test_a_lane_found_steady_inside_a_callback_is_not_in_it_at_its_horizon():
    scenario = table([CALM])
    p = params.from_columns(scenario)
    s = initial(p)
    s.lane_now_ns[:], s.lane_in_callback[:], s.lane_softirq_start_ns[:] = 2e9, True, 2e9 - 1e5
    moments = [{name: np.array([count]) for name in WATCHED} for count in (500.0, 1e3, 2e3)]
    for moment, now_ns in zip(moments, (5e8, 1e9, 2e9), strict=True):
        moment["now_ns"] = np.array([now_ns])
    steady.extrapolate(s, p, steady.Steady(np.array([0]), *moments))
    assert not s.lane_in_callback.any()
    assert s.lane_now_ns.tolist() == [6e9]
    assert s.count["ops"].tolist() == [4_000.0]


def test_a_batch_is_filled_up(monkeypatch):
    """Three places for nine scenarios: the same bits as all at once."""
    scenarios = table([CALM | {"cpus": 2 + i, "horizon_s": 0.05 + 0.01 * i, "seed": i} for i in range(9)])
    at_once = count(scenarios)
    monkeypatch.setattr(run, "WIDTH", 3)
    by_three = count(scenarios)
    assert all(np.array_equal(at_once[name], by_three[name]) for name in at_once)
