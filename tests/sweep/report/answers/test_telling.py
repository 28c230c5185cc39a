"""The one cell that is shown over time: which, and when there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sweep.compose import compose
from sweep.report.answers.paired import paired_of
from sweep.report.answers.telling import MOST_SHOWN_S, Telling, telling
from tests.sweep.frames import result_row
from tests.sweep.report.tables import results
from workers.schema import Columns

POLICIES = ("array", "list")


def fake_series(scenario: Columns) -> Columns:
    """Remembers what it was asked for in place of what a model would say."""
    times = np.linspace(0, 1e3 * scenario["horizon_s"][0], 5)
    return {"time_ms": times, "residency_ms": np.full(5, float(scenario["cpus"][0]))}


@pytest.fixture(scope="module")
def depots() -> dict[str, Any]:
    composed = compose([])
    assert composed is not None
    return {name: dict(composed.library.depot[name]) for name in POLICIES}


def told(rows: list[dict[str, Any]], shown: tuple[str, ...] = POLICIES, **manifest: Any) -> Telling | str:
    sweep = results(*rows, **manifest)
    return telling(sweep, shown, paired_of(sweep.table).loads, fake_series)


def pair(before: str, after: str, stay_ms: float, **scenario: Any) -> list[dict[str, Any]]:
    return [
        result_row(scenario | {"policy": policy}, verdict=verdict, softirq_residency_max_ms=ms)
        for policy, verdict, ms in (("array", before, stay_ms), ("list", after, 1.0))
    ]


FIXED_SMALL = pair("soft_lockup", "ok", 1500.0, cpus=64, hz=300)
FIXED_LONGER = pair("soft_lockup", "chained", 1600.0, cpus=64)
FIXED_LARGE = pair("soft_lockup", "ok", 9000.0, cpus=128)
LOCKED = pair("soft_lockup", "soft_lockup", 9000.0, cpus=8)
BROKEN = pair("ok", "soft_lockup", 1.0, cpus=8, hz=1000)
SAFE = pair("chained", "ok", 20.0, cpus=8, hz=100)


@pytest.mark.parametrize(
    ("rows", "chosen", "words"),
    [
        (FIXED_LARGE + LOCKED + FIXED_SMALL + FIXED_LONGER, FIXED_LONGER, "fixes, the one on the smallest machine (64"),
        (LOCKED + BROKEN + SAFE, BROKEN, "of those that the patch breaks"),
        (SAFE + LOCKED, LOCKED, "of those that lock up in both"),
        (SAFE, SAFE, "Nothing locks up"),
        ([FIXED_SMALL[0], FIXED_LARGE[1]], FIXED_SMALL[:1], "The scenario with the longest stay"),
    ],
    ids=["fixed", "broken", "locked", "safe", "no pair"],
)  # fmt: skip
def test_the_most_telling_cell(rows: list[Any], chosen: list[Any], words: str, depots: dict[str, Any]) -> None:
    found = told(rows, policies=depots)
    assert isinstance(found, Telling)
    assert [row["id"] for row in found.rows.values()] == [row["id"] for row in chosen]
    assert words in found.chosen
    assert list(found.series) == [row["policy"] for row in chosen]
    assert all(series["residency_ms"][0] == chosen[0]["cpus"] for series in found.series.values())
    assert found.shown_s == MOST_SHOWN_S


def test_one_policy(depots: dict[str, Any]) -> None:
    found = told([FIXED_SMALL[0], SAFE[0]], ("array",), policies=depots)
    assert isinstance(found, Telling)
    assert list(found.rows) == ["array"]
    assert found.rows["array"]["id"] == FIXED_SMALL[0]["id"]


def test_another_version_of_the_model_is_not_run(depots: dict[str, Any]) -> None:
    found = told(FIXED_SMALL, policies=depots, versions={"model": "0"})
    assert isinstance(found, str)
    assert found.startswith("Not simulated again: the results are of version 0 of the model")


def test_machines_that_would_take_long_are_not_run(depots: dict[str, Any]) -> None:
    found = told(pair("soft_lockup", "ok", 9000.0, cpus=2048, id="big"), policies=depots)
    assert isinstance(found, str)
    assert "would take long" in found


def test_a_model_that_raises_costs_the_picture_alone(depots: dict[str, Any]) -> None:
    def raises(scenario: Columns) -> Columns:
        raise ValueError("no such machine")

    sweep = results(*FIXED_SMALL, policies=depots)
    found = telling(sweep, POLICIES, paired_of(sweep.table).loads, raises)
    assert found == "Not shown: simulated again it raised ValueError: no such machine."


def test_nothing_run_and_no_policy_known() -> None:
    row = FIXED_SMALL[0] | {"softirq_residency_max_ms": None, "verdict": None, "status": "failed"}
    assert told([row]) == "No scenario of this sweep was run, so none can be shown over time."
    missing = told(FIXED_SMALL, policies={})
    assert isinstance(missing, str)
    assert missing.startswith("Not simulated again: policy: 'array' was given")
