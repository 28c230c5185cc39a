"""Result columns of whole runs: filled, and in agreement with one another."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import in_slices
from tests.workers.scenarios import table
from workers import task
from workers.schema import Columns

BUSY = {"cpus": 8, "unmap_burst": 250, "in_flight": 6_000, "burst_period_us": 3_000.0, "iova_pages": "16"}
BUSY |= {"horizon_s": 0.3, "rb_visit_ns": 40.0}
ROWS = [
    BUSY | {"policy": "array"},
    BUSY | {"policy": "list", "in_flight": 9_000, "unmap_burst": 2_000, "free_cpu_shift": 1},
    BUSY | {"iova_pages": "64"},
    BUSY | {"iova_pages": "1", "in_flight": 250},
]


@pytest.fixture(scope="module", params=[task.simulate, in_slices.simulate], ids=["as the model does", "in slices"])
def out(request) -> Columns:
    return request.param(table(ROWS))


def test_columns_agree(out):
    for name, values in out.items():
        assert values.dtype == object or np.isfinite(values).all(), name
        assert values.dtype == object or (values >= 0).all(), name
    for small, large in (
        ("callback_p50_ms", "callback_p99_ms"),
        ("callback_p99_ms", "callback_max_ms"),
        ("callback_mean_ms", "callback_max_ms"),
        ("callback_max_ms", "softirq_residency_max_ms"),
        ("unfinished_stay_ms", "softirq_residency_max_ms"),
        ("depot_magazines_end", "depot_magazines_peak"),
        ("depot_magazines_peak", "magazines_peak"),
        ("memory_end_bytes", "memory_peak_bytes"),
    ):
        assert (out[small] <= out[large]).all(), (small, large)
    assert (out["rbtree_lock_held_fraction"] <= 1).all()
    assert (out["rbtree_walk_steps"] >= out["rbtree_inserts"]).all()


def test_a_callback_that_never_finished_is_a_stay_that_goes_on():
    row = {"cpus": 64, "unmap_burst": 192, "burst_period_us": 9600.0, "in_flight": 512, "iova_pages": "64"}
    found = task.simulate(table([row | {"horizon_s": 0.12}, row | {"iova_pages": "1", "horizon_s": 0.12}]))
    assert found["callback_count"].tolist()[0] == 0
    assert found["unfinished_stay_ms"][0] == found["softirq_residency_max_ms"][0] > 100
    assert found["unfinished_stay_ms"][1] == 0
    assert found["softirq_residency_max_ms"][1] > 0


@pytest.mark.parametrize(
    "name",
    [
        "callback_count",
        "rbtree_erases",
        "rbtree_inserts",
        "rbtree_lock_held_fraction",
        "rbtree_lock_acquisitions",
        "rbtree_lock_wait_mean_us",
        "iovas_drained_by_timer",
        "iovas_drained_locally",
        "depot_magazines_peak",
    ],
)
def test_a_busy_machine_counts(out, name):
    assert out[name].max() > 0


def test_the_longest_wait_is_no_shorter_than_the_mean(out):
    assert (out["rbtree_lock_wait_max_us"] >= out["rbtree_lock_wait_mean_us"]).all()


def test_interrupts_are_off_while_the_lock_is_held(out):
    assert (1e3 * out["irqs_off_max_ms"] >= out["rbtree_lock_wait_max_us"]).all()
    assert (out["irqs_off_max_ms"] > 0).all()


def test_cached_iovas_hold_address_space(out):
    assert out["iova_space_cached_peak_bytes"][0] >= 16 * 4096 * 128 * out["depot_magazines_peak"][0]


def test_a_surplus_takes_time_to_reclaim(out):
    surplus = out["depot_magazines_peak"][1] - ROWS[1]["cpus"]
    assert surplus > 0
    assert out["depot_reclaim_s"][1] == pytest.approx(surplus / 10)
