"""Which knob moves the boundary: planted truths come back."""

from __future__ import annotations

from itertools import product
from typing import Any

import polars as pl
import pytest

from sweep.report.answers import knobs
from sweep.report.answers.knobs import COSTS, knobs_of, sensitivity
from tests.sweep.frames import result_row
from tests.sweep.report.tables import table


def truth(cpus: int, in_flight: int, policy: str) -> tuple[str, float]:
    """CPUs decide, IOVAs in flight do nothing, the second policy shortens every stay tenfold."""
    stay_ms = 16.0 * cpus / 64 * (0.1 if policy == "list" else 1.0)
    return ("soft_lockup" if stay_ms >= 32 else "chained" if stay_ms >= 16 else "ok"), stay_ms


@pytest.fixture
def planted() -> pl.LazyFrame:
    rows = []
    for cpus, in_flight, policy in product((32, 64, 128, 256), (64, 128), ("array", "list")):
        verdict, stay_ms = truth(cpus, in_flight, policy)
        scenario = {"cpus": cpus, "in_flight": in_flight, "policy": policy}
        rows.append(result_row(scenario, verdict=verdict, softirq_residency_max_ms=stay_ms))
    return table(*rows)


def test_the_knob_that_decides_comes_first(planted: pl.LazyFrame) -> None:
    found = sensitivity(planted, ("array", "list")).to_dicts()
    assert [(row["policy"], row["knob"]) for row in found] == [
        ("", "policy"),
        ("array", "cpus"),
        ("array", "in_flight"),
        ("list", "cpus"),
        ("list", "in_flight"),
    ]
    assert [(row["lines"], row["crossing"], row["rises"], row["falls"]) for row in found] == [
        (8, 4, 0, 0),
        (2, 2, 2, 0),
        (4, 0, 0, 0),
        (2, 0, 0, 0),
        (4, 0, 0, 0),
    ]
    assert [row["swing"] for row in found] == pytest.approx([10.0, 8.0, 1.0, 8.0, 1.0])


def test_a_knob_may_move_it_the_other_way() -> None:
    rows = [
        result_row({"in_flight": n}, verdict=verdict, softirq_residency_max_ms=1600.0)
        for n, verdict in ((64, "soft_lockup"), (128, "ok"), (256, "ok"))
    ]
    assert sensitivity(table(*rows), ("array",)).select("crossing", "rises", "falls").rows() == [(1, 0, 1)]


def test_rows_without_a_verdict_are_in_no_line() -> None:
    rows = [
        result_row({"in_flight": 64}, verdict="ok"),
        result_row({"in_flight": 128}, verdict=None) | {"status": "failed"},
    ]
    assert sensitivity(table(*rows), ("array",)).is_empty()


def test_costs_are_one_knob_and_what_only_names_a_stay_is_none() -> None:
    hosts: list[dict[str, Any]] = [
        {"rb_visit_ns": 10, "lock_remote_ns": 50},
        {"rb_visit_ns": 20, "lock_remote_ns": 90, "rcu_stall_s": 21},
    ]
    rows = [
        result_row(host | {"cpus": cpus}, verdict="soft_lockup" if host["rb_visit_ns"] == 20 else "ok")
        for host in hosts
        for cpus in (8, 16)
    ]
    assert knobs_of(table(*rows)) == ["cpus", COSTS]
    found = sensitivity(table(*rows), ("array",))
    assert found.select("knob", "lines", "crossing").rows() == [(COSTS, 2, 2), ("cpus", 2, 0)]


def test_implied_rows_cross_but_have_no_swing() -> None:
    row = result_row({"in_flight": 128}, verdict="soft_lockup") | {"cell": "implied", "softirq_residency_max_ms": None}
    found = sensitivity(table(result_row({"in_flight": 64}), row), ("array",))
    assert found.select("lines", "crossing", "swing").rows() == [(1, 1, None)]


def test_of_a_large_table_whole_lines_are_taken(planted: pl.LazyFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knobs, "MOST_ROWS", 8)
    found = sensitivity(planted, ("array", "list")).filter(knob="in_flight")
    assert 0 < found["lines"].sum() < 8
