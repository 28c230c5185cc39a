"""Cells of the maps: the worst over what is not shown, and never safe where something is not known."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.report.answers.cells import class_cells, verdict_cells
from sweep.report.answers.loads import MAX_TICKS, by_load
from sweep.report.answers.paired import paired_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import table


def cell(*verdicts: str | None) -> dict[str, Any]:
    """The one cell of scenarios that differ in what the map does not show."""
    rows = [result_row({"in_flight": 64 + i}, verdict=verdict) for i, verdict in enumerate(verdicts)]
    return verdict_cells(by_load(table(*rows))).row(0, named=True)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (("ok", "ok"), "ok"),
        (("ok", "chained"), "chained"),
        (("soft_lockup", "ok", "chained"), "soft_lockup"),
        (("ok", None), None),
        ((None, "chained"), None),
        ((None, "soft_lockup"), "soft_lockup"),
        ((None,), None),
    ],
)
def test_the_worst_counts_and_unknown_is_not_safe(verdicts: tuple[str | None, ...], worst: str | None) -> None:
    found = cell(*verdicts)
    assert found["verdict"] == worst
    assert found["scenarios"] == len(verdicts)
    assert found["undecided"] == verdicts.count(None)


def pair(before: str | None, after: str | None, in_flight: int = 64) -> list[dict[str, Any]]:
    return [
        result_row({"policy": "array", "in_flight": in_flight}, verdict=before, memory_peak_bytes=1000),
        result_row({"policy": "list", "in_flight": in_flight}, verdict=after, memory_peak_bytes=1000 + in_flight),
    ]


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([("ok", "ok")], "safe_in_both"),
        ([("ok", "chained"), ("soft_lockup", "chained")], "fixed"),
        ([("soft_lockup", "ok"), ("soft_lockup", "soft_lockup")], "locked_in_both"),
        ([("soft_lockup", "soft_lockup"), ("ok", "soft_lockup")], "broken_by_patch"),
        ([("ok", "ok"), ("ok", None)], None),
        ([("soft_lockup", "ok"), (None, "ok")], None),
        ([("soft_lockup", "soft_lockup"), (None, "ok")], "locked_in_both"),
    ],
)
def test_the_class_of_a_cell_is_the_worst_of_its_pairs(pairs: list[tuple[str, str]], name: str | None) -> None:
    rows = [row for i, (before, after) in enumerate(pairs) for row in pair(before, after, 64 + i)]
    results = table(*rows)
    found = class_cells(by_load(results), paired_of(results).loads, "array", "list").row(0, named=True)
    assert found["class"] == name
    decided = [i for i, both in enumerate(pairs) if None not in both]
    assert found["pairs"] == len(decided)
    assert found["added_bytes"] == 64 + max(decided)


def test_pairs_add_up_to_the_known_boundary() -> None:
    paired = paired_of(table(*boundary_frame().to_dicts()))
    total = paired.added.row(0, named=True)
    assert [total[n] for n in ("pairs", "safe_in_both", "fixed", "broken_by_patch", "locked_in_both")] == [
        54,
        44,
        5,
        0,
        5,
    ]
    assert paired.loads["pairs"].sum() == 54
    assert (total["median_bytes"], total["most_bytes"]) == (4 << 20, 16 << 20)


def test_many_values_share_cells_and_none_is_lost() -> None:
    rows = [result_row({"cpus": 8 + i, "burst_period_us": 100.0 + 7 * i}) for i in range(3 * MAX_TICKS)]
    found = verdict_cells(by_load(table(*rows)))
    assert found["scenarios"].sum() == len(rows)
    assert found["cell_cpus"].n_unique() <= MAX_TICKS
    assert found["cell_rate"].n_unique() <= MAX_TICKS


def test_unchecked_rows_are_counted_and_unsaid_ones_are_not() -> None:
    rows = [result_row({"in_flight": 64 + i}) | {"checked": checked} for i, checked in enumerate((True, False, None))]
    assert verdict_cells(by_load(table(*rows)))["unchecked"].to_list() == [1]
