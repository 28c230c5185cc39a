"""From results to lines."""

from __future__ import annotations

import math

from sweep.baseline.boundary import ABOVE, AT, Boundary
from sweep.baseline.lines import FAILURE, lines, varied_costs
from tests.sweep.baseline.tables import MIB, baseline, cell, table


def test_a_line_is_everything_but_the_rate() -> None:
    rows = [cell(rate, policy=policy, cpus=cpus) for rate in (3000, 1000) for policy in "ab" for cpus in (128, 64)]
    found = baseline(*rows).lines
    named = [(line.load["policy"], line.load["cpus"]) for line in found]
    assert named == [("a", 64), ("a", 128), ("b", 64), ("b", 128)]
    assert {line.rates_per_s for line in found} == {(1000.0, 3000.0)}
    assert "rb_visit_ns" not in found[0].load


def test_costs_tell_lines_apart_where_the_grid_varies_them() -> None:
    rows = [cell(1000, rb_visit_ns=ns) for ns in (12, 40)]
    assert varied_costs(table(*rows)) == ("rb_visit_ns",)
    assert [line.load["rb_visit_ns"] for line in baseline(*rows).lines] == [12.0, 40.0]


def test_sizes_are_sorted_as_numbers() -> None:
    found = baseline(*(cell(1000, iova_pages=pages) for pages in ("16", "1:0.5,32:0.5", "8", "1"))).lines
    assert [line.load["iova_pages"] for line in found] == ["1", "1:0.5,32:0.5", "8", "16"]


def test_equal_content_is_one_cell() -> None:
    (line,) = baseline(cell(1000), cell(1000), cell(3000)).lines
    assert line.rates_per_s == (1000.0, 3000.0)


def test_boundaries_of_chaining_and_of_lockups() -> None:
    (line,) = baseline(cell(100, 1.6), cell(10_000, 160), cell(1_000_000, 500, "soft_lockup")).lines
    assert line.verdicts == ("ok", "chained", "soft_lockup")
    assert line.chains_from == Boundary(AT, 1000)  # the stay reaches 16 ms there
    assert line.locks_from == Boundary(AT, 100_000)  # the probability reaches a half there


def test_lockups_are_bounded_by_their_probability_whatever_the_stays() -> None:
    rare = cell(100, 1900, "chained", soft_lockup_probability=0.4)
    for stay_ms in (150, 1900, 200_000):
        likely = cell(1_000_000, stay_ms, "soft_lockup", soft_lockup_probability=0.8)
        (line,) = baseline(rare, likely).lines
        assert line.locks_from == Boundary(AT, 1000)


def test_a_lockup_that_was_seen_counts_whatever_its_probability() -> None:
    seen = cell(10_000, 200_000, "soft_lockup", soft_lockup_probability=0.1)
    (line,) = baseline(cell(100), seen).lines
    assert line.locks_from == Boundary(AT, 10_000)


def test_figures_are_those_of_rates_that_live() -> None:
    most = cell(1000, 30, memory_peak_bytes=5 * MIB, depot_reclaim_s=math.inf)
    rows = (cell(100, 2, memory_peak_bytes=3 * MIB), most)
    (line,) = baseline(*rows, cell(10_000, 1500, memory_peak_bytes=99 * MIB, memory_end_bytes=99 * MIB)).lines
    assert line.alive == (True, True, False)
    assert (line.safe_stay_ms, line.memory_peak_mib, line.memory_end_mib) == (2, 5, 7)
    assert line.reclaim_s == math.inf
    (dead,) = baseline(cell(100, 1500)).lines
    figures = (dead.safe_stay_ms, dead.tree_frees, dead.memory_peak_mib, dead.memory_end_mib, dead.reclaim_s)
    assert figures == (None,) * 5


def test_a_failed_cell_is_a_value() -> None:
    failed = {"status": "failed", "error": "ValueError: no"}
    (line,) = baseline(cell(100, 2), cell(1000, **failed), cell(10_000, 3)).lines
    assert line.verdicts == ("ok", FAILURE, "ok")
    assert line.locks_from == Boundary(ABOVE, 10_000)
    (line,) = baseline(cell(1000, **failed)).lines
    assert (line.chains_from, line.locks_from, line.safe_stay_ms) == (None, None, None)


def test_lines_of_a_table_of_many_sizes_are_all_there() -> None:
    rows = [cell(rate, iova_pages=str(pages)) for pages in range(1, 40) for rate in (100, 200)]
    assert len(lines(table(*rows), ())) == 39
