"""A planted regression of each kind trips the gate, on a grid of a second; the model unchanged never does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sweep.baseline.compare import Comparison, compare
from sweep.baseline.file import Baseline
from tests.sweep.baseline.measured import measured
from workers.events.rcaches import Rcache, Rcaches

GRID = ("+grid=ci", "grid.cpus=[64]", "grid.iova_pages=[16]", "grid.policy=[array,list]", "grid.horizon_s=0.3")
GRID += ("grid.unmap_rate_per_s=[3000,10000,30000]", "grid.in_flight=384")


@pytest.fixture(scope="module")
def kept() -> Baseline:
    """The baseline of the model as it is."""
    return measured(*GRID)


def kinds(found: Comparison) -> dict[str, list[str]]:
    """Of each policy that moved, what did; the worse only."""
    moved = {line.label.partition(",")[0]: line.changes for line in found.moved}
    return {policy: [change.kind for change in changes if change.worse] for policy, changes in moved.items()}


def test_half_the_depot(kept: Baseline) -> None:
    found = compare(kept, measured(*GRID, depot={"array": {"depot_capacity": 16}}))
    assert kinds(found).keys() == {"array"}
    assert set(kinds(found)["array"]) & {"tree", "stay", "locks", "chains"}
    assert found.causes == ("policy array: depot_capacity is 16, was 32",)


def test_no_trimming_by_the_policy(kept: Baseline) -> None:
    found = compare(kept, measured(*GRID, depot={"list": {"trim_period_ms": 0}}))
    assert kinds(found).keys() == {"list"}
    assert "reclaim" in kinds(found)["list"]


def test_no_trimming_by_the_model(kept: Baseline, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Rcaches, rcache: Rcache, now: float) -> None:
        rcache.work_due_ns = math.inf

    monkeypatch.setattr(Rcaches, "_depot_work", none)
    found = compare(kept, measured(*GRID))
    assert kinds(found).keys() == {"list"}
    assert "tree" in kinds(found)["list"]
    assert found.causes == ()


def test_costs_up_by_a_fifth(kept: Baseline) -> None:
    found = compare(kept, measured(*GRID, costs=1.2))
    assert kinds(found).keys() == {"array", "list"}
    assert "stay" in kinds(found)["list"]
    assert any(cause.startswith("rb_visit_ns is 48") for cause in found.causes)


def test_a_magazine_leak(kept: Baseline, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: Rcaches, cpu: int, now: float, rcache: Rcache) -> float:
        return now

    monkeypatch.setattr(Rcaches, "refill", nothing)  # what is in the depot stays there
    found = compare(kept, measured(*GRID))
    assert "memory" in kinds(found)["list"]
    assert found.causes == ()


def test_the_same_model_in_another_order_and_batch(kept: Baseline) -> None:
    again = measured(*GRID, order=np.arange(6)[::-1], batch=4)
    assert again == kept
