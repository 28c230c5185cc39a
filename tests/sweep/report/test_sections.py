"""The report says something sensible of whatever a sweep may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from sweep.document import Block, Bullets, Code, Figure, Paragraph, Section, Table
from sweep.report.chapters import callbacks, safe_rates
from sweep.report.sections import lead, sections
from sweep.report.view import view_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import results
from workers.schema import RESULT_COLUMNS, VERDICTS, Columns

DEPOT = {
    "depot_kind": "list", "depot_capacity": 0, "depot_capacity_per_cpu": 0, "trim_threshold_per_cpu": 1,
    "trim_period_ms": 100, "trim_magazines": 1, "magazine_pfns": 128, "magazine_bytes": 2048,
    "flush_queue_bytes_per_cpu": 8208,
}  # fmt: skip


def fake_series(scenario: Columns) -> Columns:
    times = np.linspace(1.0, 1e3 * scenario["horizon_s"][0], 1000)
    zeros = dict.fromkeys(("callback_ms", "rbtree_lock_held_fraction"), np.zeros(1000))
    return {"time_ms": times, "residency_ms": times, "depot_magazines": np.arange(1000), **zeros}


def report(rows: list[dict[str, Any]], **manifest: Any) -> tuple[tuple[Block, ...], tuple[Section, ...]]:
    names = {row["policy"] for row in rows}
    sweep = results(*rows, **({"policies": dict.fromkeys(names, DEPOT)} | manifest))
    return lead(sweep), sections(sweep, fake_series)


def strings(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, (Paragraph, Code)):
            yield block.text
        elif isinstance(block, Bullets):
            yield from block.items
        elif isinstance(block, Table):
            yield from (block.title, block.note, *(column.name for column in block.columns))
            yield from (text for row in block.rows for text in row)
        else:
            yield from (block.title, block.alt, block.note)


FIGURES = (*(c.name for c in RESULT_COLUMNS if c.name != "verdict"), "checked")


def implied(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a refined sweep implies it: the verdict alone."""
    return row | dict.fromkeys(FIGURES) | {"cell": "implied", "status": None}


def failed(error: str = "KeyError: 'x'", **scenario: Any) -> dict[str, Any]:
    return result_row(scenario) | dict.fromkeys(FIGURES) | {"verdict": None, "status": "failed", "error": error}


def some(policies: tuple[str, ...], sizes: tuple[str, ...], cpus: tuple[int, ...], **more: Any) -> list[dict[str, Any]]:
    """A row a combination; the verdicts in turn."""
    return [
        result_row({"policy": p, "iova_pages": s, "cpus": c} | more, verdict=v, softirq_residency_max_ms=20.0)
        for (p, s, c), v in zip(product(policies, sizes, cpus), VERDICTS * 999, strict=False)
    ]


def scattered(policy: str, number: int) -> dict[str, Any]:
    load = {"cpus": 8 + 5 * number, "burst_period_us": 100.0 + 77 * number, "in_flight": 64 + number}
    return result_row(load | {"policy": policy}, verdict=VERDICTS[number % 3])


def host(number: int) -> dict[str, Any]:
    costs = {"rb_visit_ns": 12 + number, "lock_remote_ns": 50 + number}
    return costs | {"hz": (100, 250, 1000)[number], "phase": ("random", "aligned")[number % 2]}


PAIR = ("array", "list")
HOSTILE = "<img src=x onerror=alert(1)> $x$ & \x00"

TABLES = {
    "one scenario": [result_row({"strict": True}, verdict="soft_lockup", softirq_residency_max_ms=2900.0)],
    "one policy": some(("list_127",), ("1", "16"), (8, 16, 32)),
    "no policy of the usual names": some(("array_cpus", "mine"), ("1,8,32", "33:0.25,1:0.75"), (5, 4096)),
    "seven policies": some((*PAIR, "a", "b", "c", "d", "e"), ("1", "64"), (8, 16)),
    "many sizes": some(PAIR, tuple(str(n) for n in range(1, 50)), (8, 64)),
    "no pair": [result_row({"policy": "array"}), result_row({"policy": "list", "cpus": 16})],
    "scattered points": [scattered(policy, number) for policy in PAIR for number in range(80)],
    "hosts": [row for number in range(3) for row in some(PAIR, ("16",), (64, 128), **host(number))],
    "never trimmed": [row | {"depot_reclaim_s": float("inf")} for row in some(("list_untrimmed",), ("1",), (8, 16))],
    "everything failed": [failed(), failed("MemoryError", cpus=16, policy="list")],
    "some failed": [*some(PAIR, ("16",), (8, 16)), failed(cpus=16, iova_pages="16", in_flight=300), failed(cpus=99)],
    "everything implied": [implied(row) for row in some(PAIR, ("16", "64"), (8, 16))],
    "hostile names": [
        result_row({"policy": HOSTILE, "id": HOSTILE}, verdict="soft_lockup"),
        result_row({"policy": "array"}),
        failed(HOSTILE, policy="array", cpus=9),
    ],
}


@pytest.fixture(scope="module")
def known() -> tuple[tuple[Block, ...], tuple[Section, ...]]:
    return report(boundary_frame().to_dicts())


@pytest.mark.parametrize("name", TABLES)
def test_any_results_have_a_report(name: str) -> None:
    first, rest = report(TABLES[name])
    assert first
    blocks = (*first, *(block for section in rest for block in section.blocks))
    for text in strings(blocks):
        assert "None" not in text
        assert "nan" not in text
    for block in blocks:
        if isinstance(block, Table):
            assert block.rows
            assert {len(row) for row in block.rows} == {len(block.columns)}
        if isinstance(block, Figure):
            assert block.title
            assert len(block.alt) > 40
            tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(block.svg).iter()}
            assert not tags & {"script", "img", "image", "a", "foreignObject"}
    names = [block.name for block in blocks if isinstance(block, Figure)]
    assert len(set(names)) == len(names)


def test_the_same_results_give_the_same_report_in_any_row_order(known: Any) -> None:
    assert report(boundary_frame().to_dicts()[::-1]) == known


def test_the_lead_is_the_answer(known: Any) -> None:
    words, table = known[0]  # the sentences first: nothing else fits on a first screen
    assert isinstance(table, Table)
    assert [column.name for column in table.columns][2:] == [
        "before: array, unmaps/s", "achieved", "after: list, unmaps/s", "achieved", "ratio", "chain",
        "peak memory, MiB",
    ]  # fmt: skip
    assert ("16 pages", "256", "1k", "0", "no unsafe cell up to 100k", "0", "≥ 100", "0 → 0", "16 → 32") in table.rows
    assert ("64 pages", "64", "10k", "0", "10k", "0", "1", "1 → 1", "4 → 8") in table.rows
    assert isinstance(words, Bullets)
    assert words.items[0].startswith("Of 54 pairs 10 lock up with array: list fixes 5 (50%)")


def test_sections_come_in_the_order_of_the_questions(known: Any) -> None:
    _, rest = known
    assert [section.title for section in rest] == [
        "Which machines lock up", "The price of the patch", "Callbacks against the limits", "What moves the boundary",
        "One cell over time",
    ]  # fmt: skip
    figures = {block.name: block.title for section in rest for block in section.blocks if isinstance(block, Figure)}
    assert list(figures) == ["phase", "classes", "memory", "held", "callbacks", "knobs", "series"]
    assert figures["phase"] == "6 of 27 machine and load cells lock up with array and 3 of 27 with list"
    assert figures["classes"] == "list fixes 5 of the 10 scenarios that lock up with array and breaks 0"


def test_a_long_lead_is_short_and_the_whole_of_it_below() -> None:
    few = boundary_frame().filter(cpus=16).to_dicts()
    rows = [row | {"cpus": cpus, "id": f"{row['id']} {cpus}"} for cpus in range(10, 25) for row in few]
    view = view_of(results(*rows))
    (first,), chapter = safe_rates.lead(view), safe_rates.section(view)
    assert isinstance(first, Table)
    assert [row[1] for row in first.rows] == ["10 to 24"] * 3
    assert chapter is not None
    whole = chapter.blocks[0]
    assert isinstance(whole, Table)
    assert len(whole.rows) == 45


def test_a_safe_rate_at_which_lockups_are_expected_is_marked() -> None:
    hazard = {"soft_lockup_hazard_per_hour": 11.0, "softirq_residency_max_ms": 45.0, "unfinished_stay_ms": 45.0}
    rows = [result_row({"cpus": 8}, verdict="chained") | hazard, result_row({"cpus": 16, "policy": "list"})]
    (table,) = safe_rates.lead(view_of(results(*rows)))
    assert isinstance(table, Table)
    assert [column.name for column in table.columns][-3:] == ["chain", "expect a lockup", "peak memory, MiB"]
    assert table.rows[0][2:] == ("no unsafe cell up to 16k!", "0", "not run", "–", "–", "1 → –", "1 → –", "0 → –")
    assert "! and expect a lockup: of the scenarios that count as safe" in table.note
    assert "Up to the safe rates the longest stay of 1 was cut by the end of the run and may go on." in table.note


def test_what_expects_a_lockup_is_told_with_the_findings_and_marked_on_the_maps() -> None:
    rows = [result_row({"cpus": 8}, verdict="chained") | {"soft_lockup_hazard_per_hour": 11.0}]
    rows += [result_row({"cpus": 16}), result_row({"cpus": 16, "policy": "list"})]
    first, rest = report(rows)
    words = "! 1 safe scenario expects a lockup within exposure_s: less likely than not, but many if any; maps mark"
    assert sum(text.startswith(words) for text in strings(first)) == 1
    (phase,) = (b for section in rest for b in section.blocks if isinstance(b, Figure) and b.name == "phase")
    assert "never locks up !; 1 of 2 chain" in phase.svg
    assert "never locks up !; 1 of 2 chain" in phase.alt
    assert not any("!" in text for text in strings(report(rows[1:])[0]))


def test_runs_too_short_for_a_lockup_are_told_beside_the_verdicts() -> None:
    rows = [result_row({"cpus": cpus, "horizon_s": 0.09}) for cpus in (8, 16)]
    said = "2 safe scenarios ran too short to show a lockup, which takes a stay of 0.1 s and more"
    assert f"{said}; give a longer horizon_s." in list(strings(lead(results(*rows))))


def test_values_that_are_put_together_are_said_to_be() -> None:
    sweep = results(*TABLES["scattered points"])
    table = lead(sweep)[1]
    assert isinstance(table, Table)
    assert "CPU counts and rates of maps are rounded to a few values." in table.note


@pytest.mark.parametrize("verdict", VERDICTS)
def test_one_is_no_plural(verdict: str) -> None:
    pair = [result_row({"policy": policy}, verdict=verdict) for policy in PAIR]
    for rows in (pair, pair[:1]):
        first, rest = report(rows)
        said = " ".join([*strings(first), *(text for section in rest for text in strings(section.blocks))])
        assert not re.search(r"\b1 (scenarios|pairs|points)\b", said)


def test_what_failed_is_said_with_its_error() -> None:
    first, rest = report(TABLES["everything failed"])
    assert list(strings(first)) == ["No scenario of this sweep has a verdict, so nothing can be said of any machine."]
    assert [section.title for section in rest] == ["What failed"]
    assert "KeyError: 'x'" in list(strings(rest[0].blocks))


def test_hazards_are_told_where_the_results_have_them() -> None:
    names = ("soft_lockup_hazard_per_hour", "soft_lockup_hazard_low_per_hour", "soft_lockup_hazard_high_per_hour")
    rows = [
        result_row({"in_flight": 64 + i}, verdict="chained") | dict(zip(names, hazard, strict=True))
        for i, hazard in enumerate([(0.0, 0.0, 0.1), (2.5, 1.0, 7.0)])
    ]
    chapter = callbacks.section(view_of(results(*rows)))
    assert chapter is not None
    tables = {block.title: block for block in chapter.blocks if isinstance(block, Table)}
    assert tables["How often it locks up"].rows == (("1 page", "array", "1 of 2", "2.5", "1", "7"),)


def test_runs_of_several_lengths_are_not_said_to_end_at_one_time() -> None:
    rows = [result_row({"horizon_s": horizon_s}, softirq_residency_max_ms=5.0) for horizon_s in (1.0, 3.0)]
    chapter = callbacks.section(view_of(results(*rows)))
    assert chapter is not None
    assert "Runs end after 1 to 3 s of virtual time" in "".join(strings(chapter.blocks[:1]))
