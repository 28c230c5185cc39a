"""The safe rate: below every lockup, never past what is not known, bands above it apart."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from sweep.report.answers.loads import by_load
from sweep.report.answers.safe_rate import safe_rates
from tests.sweep.frames import result_row
from tests.sweep.report.tables import table


def at(rate: float, verdict: str | None, in_flight: int = 64, **more: Any) -> dict[str, Any]:
    """A scenario of 8 CPUs at a rate; no verdict: it failed."""
    scenario = {"unmap_burst": 10, "burst_period_us": 1e7 / rate, "in_flight": in_flight}
    row = result_row(scenario, verdict=verdict, ops_completed=int(rate * 3 * 8 * 2 * 0.9))
    return row | {"status": "failed" if verdict is None else "ok"} | more


def line(*rows: dict[str, Any]) -> dict[str, Any]:
    return safe_rates(by_load(table(*rows))).row(0, named=True)


def test_it_is_the_highest_rate_below_every_lockup() -> None:
    found = line(at(1000, "ok"), at(2000, "chained"), at(5000, "soft_lockup"), at(9000, "ok"), at(20_000, "ok"))
    assert (found["safe_per_s"], found["stop_per_s"], found["stop"]) == (2000, 5000, "locked")
    assert (found["chained"], found["bands"], found["top_per_s"]) == (1, [[9000, 20_000]], 20_000)


def test_achieved_is_the_least_at_that_rate() -> None:
    found = line(at(1000, "ok"), at(2000, "ok"), at(2000, "ok", 65, ops_completed=480), at(5000, "soft_lockup"))
    assert found["achieved_per_s"] == pytest.approx(480 / 2 / 3 / 8)


def test_one_lockup_among_what_is_not_shown_makes_a_rate_unsafe() -> None:
    found = line(at(1000, "ok"), at(1000, "soft_lockup", 65), at(2000, "ok"))
    assert (found["safe_per_s"], found["achieved_per_s"], found["bands"]) == (None, None, [[2000, 2000]])


def test_no_unsafe_cell() -> None:
    found = line(at(1000, "ok"), at(5000, "chained"))
    assert (found["safe_per_s"], found["stop_per_s"], found["stop"], found["top_per_s"]) == (5000, None, "", 5000)


@pytest.mark.parametrize("cell", ["run", "unknown"])
def test_what_is_not_known_is_not_safe(cell: str) -> None:
    found = line(at(1000, "ok"), at(2000, None, cell=cell), at(5000, "ok"), at(9000, "soft_lockup"))
    assert (found["safe_per_s"], found["stop_per_s"], found["stop"]) == (1000, 2000, "undecided")
    assert found["bands"] == [[5000, 5000]]


def test_a_lockup_beside_what_is_not_known_is_a_lockup() -> None:
    found = line(at(1000, "ok"), at(2000, None), at(2000, "soft_lockup", 65))
    assert found["stop"] == "locked"


def test_implied_verdicts_count_and_are_counted() -> None:
    implied = dict.fromkeys(("ops_completed", "memory_peak_bytes", "checked"), None) | {"cell": "implied"}
    found = line(at(1000, "ok"), at(2000, "ok", **implied), at(5000, "soft_lockup"))
    assert (found["safe_per_s"], found["implied"], found["achieved_per_s"]) == (2000, 1, None)


def test_what_expects_a_lockup_is_counted_up_to_the_safe_rate() -> None:
    expecting = {"soft_lockup_hazard_per_hour": 11.0, "softirq_residency_max_ms": 45.0, "unfinished_stay_ms": 45.0}
    rows = [at(1000, "chained", **expecting), at(2000, "chained"), at(5000, "soft_lockup"), at(9000, "ok", **expecting)]
    found = line(*rows)
    assert (found["safe_per_s"], found["chained"], found["expecting"], found["cut"]) == (2000, 2, 1, 1)


def test_bands_are_apart_where_a_lockup_lies_between_them() -> None:
    rates = {1: "soft_lockup", 2: "ok", 3: "ok", 4: "soft_lockup", 5: "soft_lockup", 6: "ok"}
    found = line(*(at(1000 * rate, verdict) for rate, verdict in rates.items()))
    assert found["bands"] == [[2000, 3000], [6000, 6000]]


def test_a_line_each_policy_size_and_cpu_count() -> None:
    rows = [
        result_row({"policy": policy, "iova_pages": size, "cpus": cpus})
        for policy in ("array", "list")
        for size in ("32", "8")
        for cpus in (64, 8)
    ]
    found = safe_rates(by_load(table(*rows)))
    assert found.select("policy", "size_row", "cell_cpus").rows()[:4] == [
        ("array", "8 pages", 8.0),
        ("array", "8 pages", 64.0),
        ("array", "32 pages", 8.0),
        ("array", "32 pages", 64.0),
    ]
    assert found.height == 8
    assert found["bands"].dtype == pl.List(pl.List(pl.Float64))
