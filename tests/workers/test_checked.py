"""The range in which the model was compared with the reference machine and agreed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.truth import columns as columns_of
from benchmarks.truth import read_cases
from tests.workers.scenarios import table
from workers.checked import COMPARED, LEAST_CPUS, LEAST_PER_S, checked
from workers.schema import DEPOT_COLUMNS

DATA = Path(__file__).parents[1] / "data"
DEPOT = {c.name for c in DEPOT_COLUMNS}

USUAL = {"cpus": 64, "unmap_burst": 64, "burst_period_us": 6_400.0, "in_flight": 128}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"cpus": 4096}, False),
        ({"cpus": 4}, True),
        ({"cpus": 3}, False),
        ({"unmap_burst": 1, "burst_period_us": 40_000.0}, True),
        ({"unmap_burst": 951, "in_flight": 2000, "burst_period_us": 100_000.0}, False),
        ({"burst_period_us": 3_047_000.0}, True),
        ({"burst_period_us": 3_060_000.0}, False),
        ({"lock_handover_ns": 50.0}, True),
        ({"lock_handover_ns": 971.0}, False),
        ({"fq_entry_remote_ns": 20.0}, True),
        ({"fq_entry_remote_ns": 491.0}, False),
        ({"iotlb_flush_ns": 29_800.0}, True),
        ({"iotlb_flush_ns": 519.0}, False),
        ({"iova_pages": "1,32", "policy": "list"}, True),
        ({"cpus": 680, "burst_period_us": 2_000_000.0}, True),
        ({"cpus": 681, "burst_period_us": 2_000_000.0}, True),  # costs little to follow
        ({"cpus": 768, "phase": "aligned"}, True),
        ({"cpus": 769, "phase": "aligned"}, False),
        ({"iova_pages": "1,1024"}, True),
        ({"iova_pages": "1,1025"}, False),
        ({"iova_pages": "1,32"}, True),
        ({"strict": True}, False),
        ({"rb_visit_ns": 121.0}, False),
        ({"lock_remote_ns": 107.0}, True),
        ({"lock_remote_ns": 500.0}, False),
        ({"burst_period_us": 639.0}, True),
        ({"burst_period_us": 63.0}, False),
        ({"burst_period_us": 10.0}, False),
        ({"unmap_burst": 200, "in_flight": 400, "burst_period_us": 1_500.0, "policy": "list"}, False),
        ({"cpus": 8, "unmap_burst": 8, "burst_period_us": 8.0}, True),
        ({"cpus": 512, "unmap_burst": 4, "burst_period_us": 50.0}, False),  # too dear to follow
        ({"burst_period_us": 5e6}, False),
        ({"in_flight": 4_001}, False),
        ({"hz": 100}, True),
        ({"policy": "list_untrimmed"}, True),
        ({"policy": "array_128mags"}, True),
        ({"policy": "array_cpus", "cpus": 512}, True),
        ({"policy": "list", "trim_period_ms": 50.0}, False),
        ({"policy": "list", "trim_magazines": 4}, False),
        ({"policy": "list", "trim_threshold": 63}, False),
        ({"depot_capacity": 31}, False),
        ({"depot_capacity": 128}, True),
        ({"depot_capacity": 129}, False),
        ({"magazine_pfns": 126}, False),
    ],
)
def test_checked(change, expected):
    columns = table([USUAL | {name: value for name, value in change.items() if name not in DEPOT}])
    for name in DEPOT & set(change):
        columns[name][:] = change[name]
    assert checked(columns).tolist() == [expected]


def test_the_range_is_within_what_was_compared():
    compared = columns_of(read_cases(DATA / "anywhere_rows.jsonl"))
    for name, (least, most) in COMPARED.items():
        assert compared[name].min() <= least < most <= compared[name].max(), name
    assert compared["cpus"].min() <= LEAST_CPUS
    assert (1e6 * compared["unmap_burst"] / compared["burst_period_us"]).min() <= LEAST_PER_S
