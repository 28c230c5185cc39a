"""From counters to result columns: verdicts, bytes and reclaim times, with figures computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers.jiffies import rearm_period_ms
from workers.results import COUNTED, finish, verdict
from workers.schema import RESULT_COLUMNS

USUAL = {"cpus": 64, "unmap_burst": 1, "burst_period_us": 1e3, "in_flight": 1}
BESIDE = ("long_stays", "long_stays_ms", "long_stays_log_s", "last_stay_ms", "simulated_ms", "iova_nodes_end")
BESIDE += ("iova_space_cached_peak_pages", "depot_surplus_largest_bin")
CALM = dict.fromkeys((*COUNTED, *BESIDE), 0)


def finished(counted: dict, **scenario) -> dict:
    """The result row of one scenario as plain values."""
    out = finish({name: np.array([v]) for name, v in (CALM | counted).items()}, table([USUAL | scenario]))
    return {name: values.tolist()[0] for name, values in out.items()}


@pytest.mark.parametrize(("hz", "period_ms"), [(100, 20), (250, 16), (300, 40 / 3), (1000, 11)])
def test_rearm_period(hz, period_ms):
    assert rearm_period_ms(np.array(hz)) == pytest.approx(period_ms)


@pytest.mark.parametrize(
    ("residency_ms", "probability", "hz", "expected"),
    [
        (15.99, 0, 250, "ok"),
        (16, 0, 250, "chained"),
        (10.99, 0, 1000, "ok"),
        (11, 0, 1000, "chained"),
        (16, 0, 100, "ok"),
        (19_999, 0, 250, "chained"),
        (20_000, 0, 250, "soft_lockup"),
        (1_000, 0.49, 250, "chained"),
        (1_000, 0.5, 250, "soft_lockup"),
    ],
)
def test_verdict(residency_ms, probability, hz, expected):
    values = (np.array([v]) for v in (residency_ms, probability, hz))
    assert verdict(*values).tolist() == [expected]


def test_a_stay_that_goes_on_is_probably_a_lockup_within_the_hour():
    row = finished({"softirq_residency_max_ms": 2_900, "last_stay_ms": 2_900, "simulated_ms": 3_000})
    assert row["verdict"] == "soft_lockup"
    assert row["soft_lockup_probability"] > 0.5
    assert 0 < row["soft_lockup_hazard_low_per_hour"] < row["soft_lockup_hazard_per_hour"]
    assert row["soft_lockup_hazard_per_hour"] < row["soft_lockup_hazard_high_per_hour"] <= 180


def test_short_stays_are_none():
    row = finished({"softirq_residency_max_ms": 99, "simulated_ms": 3_000})
    assert row["verdict"] == "chained"
    assert (row["soft_lockup_probability"], row["soft_lockup_hazard_per_hour"]) == (0, 0)


def test_watchdogs():
    assert not finished({"softirq_residency_max_ms": 59_999, "irqs_off_max_ms": 9_999})["rcu_stall"]
    assert finished({"softirq_residency_max_ms": 60_000})["rcu_stall"]
    assert finished({"softirq_residency_max_ms": 21_000}, rcu_stall_s=21)["rcu_stall"]
    assert not finished({"irqs_off_max_ms": 9_999})["hard_lockup"]
    assert finished({"irqs_off_max_ms": 10_000})["hard_lockup"]


COUNTS = {"depot_magazines_peak": 100, "depot_magazines_end": 10, "iova_nodes_peak": 5_000, "iova_nodes_end": 4_000}


@pytest.mark.parametrize(
    ("policy", "magazine", "ring"),
    [("array", 2048, 8208), ("list", 2048, 8208), ("array_127", 1024, 10256), ("list_127", 1024, 10256)],
)
def test_memory_by_part(policy, magazine, ring):
    row = finished(COUNTS | {"iova_space_cached_peak_pages": 7}, policy=policy, domains=3)
    parts = {
        "cpu_magazines_bytes": 3 * 64 * 12 * magazine,
        "depot_magazines_bytes": 3 * 100 * magazine,
        "iova_nodes_bytes": 3 * 5_000 * 64,
        "flush_queue_bytes": 3 * 64 * ring,
    }
    assert {name: row[name] for name in parts} == parts
    assert row["memory_peak_bytes"] == sum(parts.values())
    end = parts["cpu_magazines_bytes"] + parts["flush_queue_bytes"] + 3 * (10 * magazine + 4_000 * 64)
    assert row["memory_end_bytes"] == end
    assert row["iova_space_cached_peak_bytes"] == 3 * 7 * 4096


def test_5_15_in_figures():
    row = finished(COUNTS)
    assert (row["cpu_magazines_bytes"], row["flush_queue_bytes"]) == (1_572_864, 525_312)
    assert (row["depot_magazines_bytes"], row["iova_nodes_bytes"]) == (204_800, 320_000)
    assert row["memory_peak_bytes"] == 2_622_976


def test_strict_mode_has_no_rings():
    assert finished(COUNTS, strict=True)["flush_queue_bytes"] == 0


@pytest.mark.parametrize(
    ("policy", "surplus", "seconds"),
    [("array", 500, 0), ("list", 0, 0), ("list", 1, 0.1), ("list", 500, 50), ("list_untrimmed", 1, np.inf)],
)
def test_reclaim_takes_100_ms_a_magazine(policy, surplus, seconds):
    row = finished({"depot_surplus_largest_bin": surplus}, policy=policy)
    assert row["depot_reclaim_s"] == pytest.approx(seconds)


def test_every_result_column_in_its_type():
    out = finish({name: np.array([v]) for name, v in CALM.items()}, table([USUAL]))
    assert list(out) == [c.name for c in RESULT_COLUMNS]
    for column in RESULT_COLUMNS:
        kind = object if column.kind is str else column.kind
        assert out[column.name].dtype == np.dtype(kind), column.name
