"""Before and after: who is paired with whom, and what becomes of a pair."""

from __future__ import annotations

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from sweep import pairs as pairing
from sweep.pairs import comparisons, in_file, varying
from tests.sweep.frames import boundary_frame, lazy, paired, result_row


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("ok", "ok", "safe_in_both"),
        ("chained", "ok", "safe_in_both"),
        ("ok", "chained", "safe_in_both"),
        ("soft_lockup", "ok", "fixed"),
        ("soft_lockup", "chained", "fixed"),
        ("chained", "soft_lockup", "broken_by_patch"),
        ("soft_lockup", "soft_lockup", "locked_in_both"),
    ],
)
def test_a_pair_falls_in_one_of_four_classes(before: str, after: str, name: str) -> None:
    table = lazy(
        result_row({"policy": "array"}, verdict=before, memory_peak_bytes=100),
        result_row({"policy": "list"}, verdict=after, memory_peak_bytes=90),
    )
    assert paired(table).select("before", "after", "class", "memory_added_bytes").rows() == [
        ("array", "list", name, -10)
    ]


def test_only_scenarios_equal_in_all_but_policy_are_paired() -> None:
    table = lazy(
        result_row({"policy": "array", "seed": 1}),
        result_row({"policy": "list", "seed": 2}),
        result_row({"policy": "list", "seed": 1, "rb_visit_ns": 13.0}),
    )
    assert paired(table).is_empty()


def test_a_scenario_given_twice_is_paired_once() -> None:
    row = result_row({"policy": "array"})
    assert paired(lazy(row, row | {"id": "again"}, result_row({"policy": "list"}))).height == 1


def test_pairs_of_one_policy_are_none() -> None:
    assert paired(lazy(result_row({}))).is_empty()


def test_every_policy_is_compared_with_the_first_and_6_12_with_6_1() -> None:
    assert comparisons(["array", "list", "array_127", "list_127"]) == [
        ("array", "list"),
        ("array", "array_127"),
        ("array", "list_127"),
        ("array_127", "list_127"),
    ]
    assert comparisons(["array_127", "list_127"]) == [("array_127", "list_127")]
    assert comparisons(["list"]) == []


def test_pairs_in_a_file_are_the_same_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = boundary_frame(("array", "list", "array_127")).lazy()
    whole = paired(table)
    monkeypatch.setattr(pairing, "PART_ROWS", 10)
    kept = in_file(table, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 * (1 + 162 // 10)
    assert_frame_equal(kept.collect(), whole, check_row_order=False)


def test_varying_leaves_out_what_is_constant() -> None:
    table = lazy(result_row({"cpus": 8}), result_row({"cpus": 16}))
    assert varying(table) == ["cpus", "active_cpus"]
