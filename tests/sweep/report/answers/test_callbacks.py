"""Callbacks and stays against the limits: the worst scenario of each machine, and how many reach what."""

from __future__ import annotations

from sweep.report.answers.callbacks import by_machine, limits, rearm_ms
from sweep.report.answers.loads import by_load
from tests.sweep.frames import result_row
from tests.sweep.report.tables import table

ROWS = [
    result_row({"in_flight": 64}, callback_p99_ms=3.0, softirq_residency_max_ms=5.0),
    result_row({"in_flight": 65, "hz": 1000}, verdict="chained", callback_p99_ms=2.0, softirq_residency_max_ms=40.0),
    result_row({"in_flight": 66}, verdict="soft_lockup", softirq_residency_max_ms=900.0, rcu_stall=True)
    | {"unfinished_stay_ms": 900.0},
    result_row({"in_flight": 67}) | {"softirq_residency_max_ms": None, "callback_p99_ms": None, "cell": "implied"},
    result_row({"cpus": 16}, callback_p99_ms=9.0, hard_lockup=True),
]


def test_each_figure_is_that_of_its_worst_scenario() -> None:
    found = by_machine(by_load(table(*ROWS)))
    columns = ("cell_cpus", "callback_p99_ms", "softirq_residency_max_ms")
    assert found.select(columns).rows() == [(8.0, 3.0, 900.0), (16.0, 9.0, 0.0)]


def test_the_rearm_period_ranges_where_hz_does() -> None:
    assert rearm_ms(by_load(table(*ROWS))) == (11.0, 16.0)
    assert rearm_ms(by_load(table(ROWS[0]))) == (16.0, 16.0)


def test_scenarios_that_reach_a_limit_are_counted() -> None:
    found = limits(table(*ROWS)).row(0, named=True)
    counts = {name: found[name] for name in ("run", "outlast", "cut", "rcu_stall", "hard_lockup")}
    assert counts == {"run": 4, "outlast": 2, "cut": 1, "rcu_stall": 1, "hard_lockup": 1}


def test_what_an_older_model_did_not_record_is_not_taken_as_none() -> None:
    older = [{name: value for name, value in row.items() if name != "unfinished_stay_ms"} for row in ROWS]
    assert limits(table(*older))["cut"].to_list() == [None]
