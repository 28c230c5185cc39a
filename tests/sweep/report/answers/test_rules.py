"""Plain rules: what is planted is said, in the words of the field."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from sweep.report.answers.boxes import Box
from sweep.report.answers.rules import MOST_LEVELS, _text, rules_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import table


def grid(locks: Any, **axes: Any) -> list[dict[str, Any]]:
    """A row a combination; ``locks``: whether it locks up."""
    rows = []
    for values in product(*axes.values()):
        scenario = dict(zip(axes, values, strict=True))
        rows.append(result_row(scenario, verdict="soft_lockup" if locks(scenario) else "ok"))
    return rows


CPUS = (16, 32, 64, 128, 256)
PERIODS = (16000.0, 3200.0, 1600.0, 160.0)  # of 16 unmaps: 1k, 5k, 10k, 100k a second


def test_cpus_and_rate() -> None:
    rows = grid(
        lambda s: s["cpus"] >= 64 and s["burst_period_us"] <= 3200, cpus=CPUS, burst_period_us=PERIODS, hz=(250, 1000)
    )
    found = rules_of(table(*rows), "array")
    assert [rule.text for rule in found.rules] == ["CPUs ≥ 64 and unmap rate per CPU ≥ 5k/s"]
    assert (found.rules[0].rows, found.rules[0].locked, found.held, found.locked, found.rows) == (18, 18, 18, 18, 40)


def test_a_range_of_sizes_with_mixes() -> None:
    sizes = ("1", "8", "16", "1:0.5,32:0.5", "64", "1,256")
    rows = grid(lambda s: s["iova_pages"] in sizes[2:4], cpus=(64, 65, 66, 67, 68), iova_pages=sizes, hz=(250, 300))
    assert [rule.text for rule in rules_of(table(*rows), "array").rules] == ["largest IOVA from 16 pages to 32 pages"]


def test_the_space_in_flight_decides_more_plainly_than_what_makes_it_up() -> None:
    rows = grid(
        lambda s: s["cpus"] * s["in_flight"] * int(s["iova_pages"]) >= 1 << 18,
        cpus=CPUS, in_flight=(128, 256, 512), iova_pages=("8", "16", "32"),
    )  # fmt: skip
    assert [rule.text for rule in rules_of(table(*rows), "array").rules] == ["address space in flight ≥ 1 GiB"]


def test_words_and_switches() -> None:
    rows = grid(
        lambda s: s["dma32_first"] and s["phase"] == "aligned",
        dma32_first=(True, False),
        phase=("random", "aligned"),
        cpus=(*CPUS, 300, 400, 500),
    )
    assert [rule.text for rule in rules_of(table(*rows), "array").rules] == ["phase = aligned and dma32_first = True"]


def test_words_have_no_order() -> None:
    axes = [(np.array([0]), ["a", "b", "c"], ["a", "b", "c"])]
    assert _text(["phase"], axes, Box(np.array([1]), np.array([2]), 1, 1)) == "phase = b or c"
    assert _text(["phase"], axes, Box(np.array([0]), np.array([2]), 1, 1)) == "always"


def test_the_rest_of_the_sweep_is_left_alone() -> None:
    rows = boundary_frame().to_dicts()
    assert rules_of(table(*rows), "list").rules[0].text.startswith("largest IOVA ≥ 64 pages and")
    failed = [row | {"verdict": None, "status": "failed"} for row in rows]
    assert rules_of(table(*failed), "list").rows == 0


def test_nothing_and_everything_and_few() -> None:
    assert rules_of(table(*grid(lambda s: False, cpus=CPUS, hz=tuple(range(100, 108)))), "array").rules == ()
    every = rules_of(table(*grid(lambda s: True, cpus=CPUS, hz=tuple(range(100, 108)))), "array")
    assert [rule.text for rule in every.rules] == ["always"]
    assert rules_of(table(*grid(lambda s: s["cpus"] > 32, cpus=CPUS)), "array").rules == ()


def test_of_many_values_neighbours_share_a_level() -> None:
    rows = grid(lambda s: s["cpus"] >= 80, cpus=tuple(range(8, 8 + 4 * MOST_LEVELS)))
    found = rules_of(table(*rows), "array")
    assert found.rules[0].text in {f"CPUs ≥ {cpus}" for cpus in range(77, 84)}
    assert found.rules[0].locked >= 0.9 * found.locked
