"""The report, its table and its totals, of a fleet whose answers are known."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import polars as pl
import pytest

from sweep.capacity.figure import headroom
from sweep.capacity.remedies import REMEDIES
from sweep.capacity.report import document, lead, memory, overview
from sweep.capacity.report import rates as rates_table
from sweep.capacity.study import Findings
from sweep.capacity.table import table
from sweep.capacity.totals import HAZARD, Expectation, lockups_per_year, totals
from sweep.document import Paragraph, Table
from sweep.document.html import to_html
from sweep.document.markdown import to_markdown
from sweep.document.terminal import to_terminal
from tests.sweep.capacity.standin import above, host, rates
from tests.sweep.capacity.test_study import studied
from workers.schema import Columns

HOSTILE = "h<img src=x onerror=alert(1)>|`x`"


@pytest.fixture(scope="module")
def findings() -> tuple[Findings, ...]:
    """One class that the patch fixes, one that only strict and passthrough help, one that is safe."""
    return studied(
        above({"array": 500, "list_127": 100}),
        host(name="fixable", count="10", load_hours_per_year="100", domains="3"),
        host(name="hopeless", kernel="6.12", count="2", load_hours_per_year="50"),
        host(name="calm", kernel="5.15", unmap_rate_per_s="50", count="7"),
    )[0]


def test_lockups_are_machines_times_domains_times_hours_times_the_hazard(findings: tuple[Findings, ...]) -> None:
    fixable, hopeless, calm = findings
    assert lockups_per_year(fixable.host, fixable.now) == Expectation(10 * 3 * 100 * 2, 10 * 3 * 100, 10 * 3 * 100 * 4)
    assert lockups_per_year(fixable.host, fixable.after) == Expectation()
    assert lockups_per_year(hopeless.host, hopeless.after).expected == 2 * 50 * 2
    assert lockups_per_year(calm.host, calm.now) == Expectation()


def test_totals_of_both_sides(findings: tuple[Findings, ...]) -> None:
    now, after = totals(findings, after=False), totals(findings, after=True)
    assert (now.safe, now.locked, now.failed) == (7, 12, 0)
    assert (after.safe, after.locked) == (17, 2)
    assert now.lockups_per_year == Expectation(6200, 3100, 12400)
    assert after.lockups_per_year == Expectation(200, 100, 400)
    assert now.memory_peak_bytes == (10 * 3 + 2 + 7) * 16 << 20


def test_the_answer_comes_first(findings: tuple[Findings, ...]) -> None:
    (said,) = lead(findings)
    assert isinstance(said, Paragraph)
    assert "3 host classes, 19 machines: 12 lock up under their load as they are, 2 with the fix" in said.text
    hours = 10 * 100 + 2 * 50 + 7 * 8760
    assert f"Soft lockups to expect in a year of {hours:,} machine-hours under load: 6,200 (3,100 to" in said.text
    assert "12,400), one an hour and more on each of 12 machines, as they are, 200 (100 to 400), one" in said.text
    assert "on each of 2 machines, with the fix. In parentheses the model's 90 % interval" in said.text
    rows = {row[0]: row for row in overview(findings, REMEDIES).rows}
    assert rows["fixable"][3:5] == ("locks up", "safe")
    assert rows["fixable"][-1] == "the patch, iommu.strict=1, iommu.passthrough=1"
    assert rows["hopeless"][3:5] == ("locks up", "has it already")
    assert rows["hopeless"][-1] == "iommu.strict=1, iommu.passthrough=1"
    assert rows["calm"][5:7] == ("x9.51 (unsafe at x10.4)", "no unsafe rate up to x16")
    assert rows["calm"][-1] == "not needed"


def test_where_no_lockup_is_expected_there_is_no_interval_to_explain() -> None:
    (said,) = lead(studied(above({}), host(name="calm"))[0])
    assert isinstance(said, Paragraph)
    assert "8,760 machine-hours under load: 0 as they are, 0 with the fix. Allocator memory" in said.text


def test_one_lockup_an_hour_is_that_of_a_machine_not_of_a_domain() -> None:
    (found,) = studied(above({"array": 500}), host(name="a", count="5", domains="3"))[0]
    for per_hour, machines in ((0.3, 0), (0.34, 5)):
        found.now.row[HAZARD] = per_hour
        assert totals((found,), after=False).hourly == machines


def test_a_lower_load_is_not_always_safer() -> None:
    """Safe at the load itself, at half of it and at 16 times; a slower one locks up."""

    def locks(scenarios: Columns) -> np.ndarray:
        return ~np.isin(np.round(rates(scenarios)), [500, 1000, 16_000]) & (scenarios["policy"] == "array")

    (found,) = studied(locks, host(name="odd"))[0]
    assert overview((found,), REMEDIES).rows[0][5] == "none (unsafe at x0.125, safe at x0.5 to x1, x16)"
    whole = to_markdown(document("f.csv", (found,), REMEDIES, 2.0, "again"))
    assert "A lower load is not always safer. After a flush each CPU frees its own entries" in whole
    assert "- odd, now: unsafe at x0.125, safe at x0.5 to x1, x16" in whole
    assert headroom((found,)).title == "All are safe at today's rate"


def test_a_rate_whose_run_failed_is_not_called_unsafe() -> None:
    def locks(scenarios: Columns) -> np.ndarray:
        if ((rates(scenarios) > 3000) & (rates(scenarios) < 10_000) | (scenarios["seed"] == 7)).any():
            raise MemoryError("too much")
        return rates(scenarios) > 10_000

    fails, lost = studied(locks, host(name="fails"), host(name="lost", seed="7"))[0]
    whole = to_markdown(document("f.csv", (fails, lost), REMEDIES, 2.0, "again"))
    rows = {row[0]: row for row in overview((fails, lost), REMEDIES).rows}
    assert rows["fails"][5] == "x2.83 (run failed at x3.08, unsafe at x16)"
    assert rows["lost"][5] == "unknown (run failed at x0.125)"
    assert "| lost | 5.15 | 1k | " in whole
    assert " | unknown | unknown (run failed at x0.125) |" in whole
    (of_fails, of_lost) = table((fails, lost), REMEDIES).to_dicts()
    factors = [f"before_{what}_factor" for what in ("safe_up_to", "failed_at", "unsafe_at")]
    assert [of_fails[name] for name in factors] == pytest.approx([2 ** (12 / 8), 2 ** (13 / 8), 16])
    assert [of_lost[name] for name in factors] == [None, 0.125, None]


def test_nothing_is_said_of_a_class_whose_own_run_failed() -> None:
    good = host(name="good", count="3")
    bad = host(name="bad", count="5", seed="666")
    of_good, of_bad = studied(above({"array": 500}), good, bad)[0]
    found = (of_good, of_bad)
    now = totals(found, after=False)
    assert (now.safe, now.locked, now.failed) == (0, 3, 5)
    assert now == dataclasses.replace(totals((of_good,), after=False), failed=5)
    assert "Runs failed of bad, of which these figures leave out what is not known." in to_terminal(lead(found))
    assert overview(found, REMEDIES).rows[1][3:] == (
        *("run failed", "run failed", *["unknown (run failed at x0.125)"] * 2),
        *("unknown, a run failed", "unknown, its run failed"),
    )
    assert [row[3:] for row in memory(found).rows[2:]] == [("-", "-", "-", "8,760", "-")] * 2
    assert [row[3] for row in rates_table(found).rows[2:]] == ["-", "-"]
    assert headroom(found).title == "Not safe at today's rate as they are: 1 of 2 host classes, not known: 1"
    row = table(found, REMEDIES).to_dicts()[1]
    known = {name for name, value in row.items() if name.startswith("before_") and value not in (None, "")}
    assert {name.removeprefix("before_") for name in known} == {
        *("verdict", "failed_at_factor", "tested_up_to_factor", "costs"),
        *(f"verdict_{name}_costs" for name in ("low", "typical", "high")),
    }


def test_where_all_failed_no_sum_is_zero() -> None:
    (found,) = studied(above({}), host(name="bad", seed="666"))[0]
    assert (now := totals((found,), after=False)).failed == 1
    assert (now.lockups_per_year, now.memory_peak_bytes) == (None, None)
    assert "peak, all machines: - as they are, - with the fix." in " ".join(to_terminal(lead((found,))).split())
    assert headroom((found,)).title == "Not safe at today's rate as they are: 0 of 1 host class, not known: 1"


def test_loads_beyond_what_was_checked_are_named(findings: tuple[Findings, ...]) -> None:
    findings[1].now.row["checked"] = None  # a run that failed is not said to be outside
    findings[2].now.row["checked"] = False
    try:
        assert "to be trusted less: calm." in " ".join(to_terminal(lead(findings)).split())
    finally:
        findings[1].now.row["checked"] = findings[2].now.row["checked"] = True


def test_runs_too_short_to_show_a_lockup_are_told_in_every_output() -> None:
    """At a horizon of 20 ms no stay of 100 ms fits in."""
    usual = host(name="usual")
    short = dataclasses.replace(usual, name="shorty", scenario=usual.scenario | {"horizon_s": 0.02})
    (found, other), _ = studied(above({"array": 500}), short, usual)
    assert (found.short > 0, other.short) == (True, 0)
    assert table((found,), REMEDIES)["runs_too_short"].to_list() == [found.short]
    said = f"{found.short} safe scenarios ran too short to show a lockup, which takes a stay of 0.1 s and more: give a"
    whole = document("f.csv", (found, other), REMEDIES, 2.0, "again")
    for text in (to_terminal(lead((found, other))), to_html(whole), to_markdown(whole).replace("\\", "")):
        assert said in " ".join(text.split())
    assert "They are of shorty." in to_terminal(lead((found, other)))
    assert "too short" not in to_terminal(lead((other,)))


def test_the_csv_has_a_row_a_host_class_and_numbers_in_it(findings: tuple[Findings, ...]) -> None:
    read = pl.read_csv(io.BytesIO(table(findings, REMEDIES).write_csv().encode()))
    rows = {row["name"]: row for row in read.to_dicts()}
    assert list(rows) == ["fixable", "hopeless", "calm"]
    assert rows["fixable"]["before_verdict"] == "soft_lockup"
    assert rows["fixable"]["before_lockups_per_year_high"] == 12_000
    assert rows["fixable"]["patch_verdict"] == "ok"
    assert rows["hopeless"]["before_safe_up_to_factor"] is None
    assert rows["hopeless"]["patch_answer"] == "changes nothing: 6.12 has it already"
    assert rows["calm"]["passthrough_answer"].startswith("safe by rule")


def test_rows_are_as_wide_as_their_tables(findings: tuple[Findings, ...]) -> None:
    whole = document("f.csv", findings, REMEDIES, 2.0, "again")
    tables = [block for section in whole.sections for block in section.blocks if isinstance(block, Table)]
    assert len(tables) == 4
    assert all(len(row) == len(one.columns) for one in tables for row in one.rows)
    assert to_html(whole) == to_html(document("f.csv", findings, REMEDIES, 2.0, "again"))


def test_a_name_cannot_become_markup() -> None:
    (found,) = studied(above({}), host(name=HOSTILE))[0]
    whole = document(f"{HOSTILE}.csv", (found,), REMEDIES, 2.0, HOSTILE)
    assert "<img src=x" not in to_html(whole)
    assert "<img src=x" not in to_markdown(whole).replace(f"```\n{HOSTILE}\n```", "")
