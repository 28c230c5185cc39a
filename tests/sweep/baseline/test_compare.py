"""What moved, from where to where, and why it matters: in the words that people read."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from sweep.baseline.compare import compare
from sweep.baseline.document import headline, sentence, text
from sweep.baseline.file import TOLERANCE
from tests.sweep.baseline.tables import MIB, baseline, cell


def moved(was: Any, now: Any) -> list[str]:
    """The sentences of the one line that moved, and whether each is for the worse."""
    lines = compare(was, now).moved
    assert len(lines) <= 1
    return [f"{'-' if change.worse else '+'} {sentence(change)}" for line in lines for change in line.changes]


CALM = baseline(cell(3000), cell(30_000, 2))


def test_the_same_holds() -> None:
    found = compare(CALM, CALM)
    assert found.holds
    assert found.labels == ("list, 16 pages, 128 CPUs",)
    assert headline(found) == "baseline ci: nothing moved on 1 line"


def test_a_line_that_begins_to_lock_up_says_so_once() -> None:
    now = baseline(cell(3000), cell(30_000, 2000))
    assert moved(CALM, now) == [
        "- locks up from 9.49k unmaps/s, was not up to 30k:"
        " 5.15 with both patches loses the loads in between: they hang"
    ]
    assert moved(now, CALM) == [
        "+ no lockup up to 30k unmaps/s, was from 9.49k: 5.15 with both patches gains the loads in between: they live"
    ]


def test_a_boundary_that_shifts_between_two_rates() -> None:
    def line(stay_ms: float, probability: float) -> Any:
        rare = cell(1000, stay_ms, "chained", policy="array", soft_lockup_probability=probability)
        return baseline(cell(100, policy="array"), rare, cell(100_000, 1e5, policy="array"))

    assert moved(line(200, 0.05), line(200, 0.06)) == []
    assert moved(line(200, 0.05), line(200, 0.3)) == [
        "- locks up from 3.73k unmaps/s, was from 8.86k (-58 %): 5.15 as it is loses the loads in between: they hang"
    ]
    assert moved(line(200, 0.05), line(100, 0.05)) == [
        "+ chains from 400 unmaps/s, was from 334 (+20 %): with 5.15 as it is the flush timer lets go again of its CPU"
        " in time at the loads in between"
    ]


def test_chaining_and_locking_are_told_apart() -> None:
    was = baseline(cell(1000), cell(3000, 100), cell(10_000, 500))
    now = baseline(cell(1000), cell(3000, 2), cell(10_000, 500))
    assert moved(was, now) == [
        "+ chains from 4.72k unmaps/s, was from 1.94k (2.44 times that): with 5.15 with both patches the flush timer"
        " lets go again of its CPU in time at the loads in between"
    ]


def test_a_flip_that_no_boundary_explains() -> None:
    was = baseline(cell(1000), cell(3000, 1500), cell(10_000, 1500), cell(30_000, 2))
    now = baseline(cell(1000), cell(3000, 1500), cell(10_000, 1500), cell(30_000, 1500))
    assert moved(was, now) == ["- soft_lockup at 30k unmaps/s, was ok: machines under that load lock up"]
    assert moved(now, was) == ["+ ok at 30k unmaps/s, was soft_lockup: less of the load is in trouble"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"memory_peak_bytes": 9 * MIB},
            "- peak memory 9 MiB, was 8 (+12 %): each such machine needs more",
        ),
        (
            {"memory_end_bytes": 14 * MIB},
            "- memory at the end 14 MiB, was 7 (2 times that): less of it comes back",
        ),
        (
            {"depot_reclaim_s": math.inf},
            "- the depot keeps its surplus for ever, was 2 s: it never comes back",
        ),
        (
            {"depot_reclaim_s": 1.0},
            "+ the depot keeps its surplus 1 s, was 2 s: what a burst leaves behind comes back sooner",
        ),
        (
            {"rbtree_erases": 0},
            "- 0 IOVAs freed to the tree, was 640 (-100 %): the depot is trimmed less",
        ),
        (
            {"stay_ms": 1.5},
            "- longest safe stay in the softirq 1.5 ms, was 1 (+50 %): the timer is due again after 16 ms:"
            " 9% of that is used, was 6%",
        ),
    ],
)
def test_each_figure(given: dict[str, Any], told: str) -> None:
    assert moved(baseline(cell(3000)), baseline(cell(3000, **given))) == [told]


def test_small_differences_are_none() -> None:
    given = {"memory_peak_bytes": int(8.07 * MIB), "memory_end_bytes": int(6.95 * MIB), "stay_ms": 1.04}
    assert moved(baseline(cell(3000)), baseline(cell(3000, **given, depot_reclaim_s=2.2, rbtree_erases=700))) == []


def test_a_magazine_freed_to_the_tree_is_no_difference_however_few_there_were() -> None:
    few = baseline(cell(3000, rbtree_erases=50))
    assert moved(few, baseline(cell(3000, rbtree_erases=149))) == []
    assert len(moved(few, baseline(cell(3000, rbtree_erases=151)))) == 1


def test_the_tolerance_is_the_baseline_s() -> None:
    was = dataclasses.replace(baseline(cell(3000)), tolerance=TOLERANCE | {"memory": 0.2})
    assert moved(was, baseline(cell(3000, memory_peak_bytes=9 * MIB))) == []


def test_failures() -> None:
    failed = baseline(cell(3000), cell(30_000, status="failed", error="no"))
    assert moved(CALM, failed)[0] == "- fails at 30k unmaps/s: the model raised there: nothing is known of that load"
    assert moved(failed, CALM)[0] == "+ no longer fails at 30k unmaps/s: its verdict counts again"
    assert moved(failed, failed) == []


def test_other_rates_are_not_compared() -> None:
    assert moved(CALM, baseline(cell(3000), cell(10_000, 2000))) == [
        "- run at 3k, 10k unmaps/s, was at 3k, 30k unmaps/s: nothing else of this line is compared"
    ]


def test_lines_that_came_and_went_are_said_by_name() -> None:
    was = baseline(cell(3000), cell(3000, cpus=64), cell(3000, cpus=64, in_flight=256))
    now = baseline(cell(3000), cell(3000, iova_pages="1", cpus=64))
    found = compare(was, now)
    assert not found.holds
    assert found.added == ("list, 1 page, 64 CPUs, in_flight 512",)
    assert found.removed == ("list, 16 pages, 64 CPUs, in_flight 256", "list, 16 pages, 64 CPUs, in_flight 512")
    assert headline(found) == "baseline ci: 1 line is new; 2 lines are gone"


def test_a_cost_that_one_side_varies_tells_its_lines_apart() -> None:
    one, several = baseline(cell(3000)), baseline(cell(3000, map_ns=200.0), cell(3000, map_ns=300.0))
    plain = ("list, 16 pages, 128 CPUs",)
    apart = ("list, 16 pages, 128 CPUs, map_ns 200.0", "list, 16 pages, 128 CPUs, map_ns 300.0")
    for was, now, removed, added in ((one, several, plain, apart), (several, one, apart, plain)):
        found = compare(was, now)
        assert (found.removed, found.added) == (removed, added)


def test_what_else_differs_moves_nothing() -> None:
    was = baseline(cell(3000), costs={"map_ns": 250.0}, policies={"list": {"trim_period_ms": 100}, "gone": {}})
    now = baseline(
        cell(3000), costs={"map_ns": 300.0}, policies={"list": {"trim_period_ms": 0}, "new": {}}, model_version="2"
    )
    found = compare(was, now)
    assert found.holds
    assert found.causes == (
        "the model's version is 2, was 1",
        "map_ns is 300.0, was 250.0",
        "policy list: trim_period_ms is 0, was 100",
    )


def test_the_terminal_shows_the_worst_first_and_not_all() -> None:
    was = baseline(*(cell(3000, cpus=cpus) for cpus in range(1, 31)))
    now = baseline(*(cell(3000, 2000 if cpus == 30 else 1 + cpus / 3, cpus=cpus) for cpus in range(1, 31)))
    shown = text(compare(was, now)).splitlines()
    assert shown[0] == "baseline ci: 30 of 30 lines moved, 30 for the worse"
    assert shown[1].startswith("  list, 16 pages, 30 CPUs: locks up already at 3k unmaps/s, was not up to 3k")
    assert shown[-1] == "  and 18 more lines"
    assert max(map(len, shown)) <= 100


def test_lines_that_moved_alike_are_told_once() -> None:
    was = baseline(*(cell(3000, cpus=cpus) for cpus in (8, 16, 32)))
    now = baseline(*(cell(3000, 4 if cpus == 32 else 2, cpus=cpus) for cpus in (8, 16, 32)))
    shown = text(compare(was, now))
    assert "list, 16 pages, 8 CPUs and 1 other line: longest safe stay in the softirq 2 ms" in shown
    assert "list, 16 pages, 32 CPUs: longest safe stay in the softirq 4 ms" in shown
    assert "16 CPUs" not in shown
