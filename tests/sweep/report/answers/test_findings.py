"""What is said of the patch: only what the rows say, with their counts."""

from __future__ import annotations

from typing import Any

from sweep.report.answers import findings
from sweep.report.answers.loads import by_load
from sweep.report.answers.paired import paired_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import table

MS = "softirq_residency_max_ms"


def said(*rows: dict[str, Any]) -> list[str]:
    results = table(*rows)
    return findings.compared(by_load(results), paired_of(results), "array", "list")


def pair(before: str, after: str, pages: str = "16", cpus: int = 8, **after_too: Any) -> list[dict[str, Any]]:
    scenario = {"iova_pages": pages, "cpus": cpus}
    return [
        result_row(scenario | {"policy": "array"}, verdict=before),
        result_row(scenario | {"policy": "list"}, verdict=after, **after_too),
    ]


def test_the_known_boundary() -> None:
    assert said(*boundary_frame().to_dicts()) == [
        "Of 54 pairs 10 lock up with array: list fixes 5 (50%) and leaves 5; none locks up only with it.",
        "With IOVAs of up to 32 pages (1 and 16 pages; 36 pairs): all 5 that lock up are fixed. 4 chain before, 0"
        " after.",
        "With IOVAs over 32 pages alone, which never enter the depot (64 pages; 18 pairs): none of 5 that lock up is"
        " fixed, from 64 CPUs on. 4 chain before, 4 after.",
        "With IOVAs of up to 32 pages nothing locks up or chains with list on up to 256 CPUs, the most that was run;"
        " the longest stay does not grow with the machine: 0 on 16 CPUs, 0 on 256 at the same rates, 0% of the re-arm"
        " period.",
    ]


def test_what_the_patch_breaks_is_said() -> None:
    found = said(*pair("ok", "soft_lockup", cpus=64), *pair("ok", "ok"))
    assert found[0] == "Of 2 pairs 0 lock up with array; 1 lock up only with list."
    assert "none locks up before; 1 lock up only after, from 64 CPUs on." in found[1]
    assert found[2].startswith(
        "With IOVAs of up to 32 pages list still locks up in 1 and chains in 0 of 2 scenarios, from 64"
    )


def test_what_is_not_known_is_not_said_to_be_safe() -> None:
    open_ = [row | {"verdict": None, "cell": "unknown"} for row in pair("ok", "ok", cpus=64)]
    assert "no lockup or chain is known with list on up to 64 CPUs" in said(*pair("ok", "ok"), *open_)[-1]


def test_mixes_are_apart() -> None:
    found = said(*pair("soft_lockup", "ok", "1,64"), *pair("soft_lockup", "soft_lockup", "1,64", 9))
    assert found[1] == (
        "With mixes of IOVAs up to and over 32 pages (1,64 pages; 2 pairs): 1 of 2 that lock up are fixed, the others"
        " lock up in both from 9 CPUs on."
    )
    assert len(found) == 2


def test_stays_grow_with_the_machine_only_where_the_same_loads_say_so() -> None:
    grows = said(*pair("ok", "ok", **{MS: 1.0}), *pair("ok", "ok", cpus=64, **{MS: 8.0}))[-1]
    assert grows.endswith(
        "grows with the machine: 1 ms on 8 CPUs, 8 ms on 64 at the same rates, 50% of the re-arm period."
    )
    other = said(*pair("ok", "ok", "8", **{MS: 1.0}), *pair("ok", "ok", "16", cpus=64, **{MS: 8.0}))[-1]
    assert (
        other
        == "With IOVAs of up to 32 pages nothing locks up or chains with list on up to 64 CPUs, the most that was run."
    )


def test_no_pair_no_word_of_the_patch() -> None:
    alone = result_row({"policy": "array"}), result_row({"policy": "list", "cpus": 9})
    assert said(*alone) == ["No scenario was run under both array and list, so nothing can be said of the patch."]
    results = table(*alone)
    assert findings.price(paired_of(results), by_load(results), "array", "list") == []


def test_one_policy() -> None:
    loads = by_load(table(*boundary_frame(("list",)).to_dicts()))
    assert findings.alone(loads, "list") == [
        "With IOVAs of up to 32 pages (1 and 16 pages) 0 of 36 scenarios lock up with list; 0 chain.",
        "With IOVAs over 32 pages alone, which never enter the depot (64 pages) 5 of 18 scenarios lock up with list,"
        " from 64 CPUs on; 4 chain.",
    ]


def test_what_is_not_known() -> None:
    implied = {"cell": "implied", "checked": None}
    rows = [
        result_row({}) | {"checked": False},
        result_row({"hz": 300}) | {"checked": True},
        result_row({"hz": 301}, verdict=None) | {"status": "failed", "checked": None},
        result_row({"hz": 302}, verdict=None) | {"cell": "unknown", "status": None, "checked": None},
        result_row({"hz": 303}) | implied,
    ]
    assert findings.undecided(by_load(table(*rows))) == [
        "Of 5 scenarios 1 failed and 1 are not known; they are taken neither as safe nor as locked up.",
        "1 of 5 verdicts are implied by their neighbours, not run.",
        "1 of 2 scenarios run (50%) lie outside the range in which the model was compared with the reference machine"
        " and agreed; maps show them striped.",
    ]
    assert findings.undecided(by_load(table(rows[1]))) == []
