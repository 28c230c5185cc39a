"""The closing table: short, narrow, and true."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from sweep import summary_table
from sweep.report.view import view_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import results


def table(*rows: dict[str, Any]) -> str:
    return summary_table.table(view_of(results(*rows)))


def at(rate: float, verdict: str | None, cpus: int = 8) -> dict[str, Any]:
    row = result_row({"unmap_burst": 10, "burst_period_us": 1e7 / rate, "cpus": cpus}, verdict=verdict)
    return row | {"status": "failed" if verdict is None else "ok"}


def test_the_known_boundary() -> None:
    lines = table(*boundary_frame().to_dicts()).splitlines()
    assert lines[0] == "108 scenarios; before = array, after = list; the worst over everything not named"
    found = {line.split()[0]: line.split() for line in lines if "->" in line}
    assert found["1"][2:] == ["100k", "(all)", "100k", "(all)", "never", "never", "16", "->", "32"]
    assert found["16"][2:] == ["1k", "100k", "(all)", "from", "64", "CPUs", "never", "16", "->", "32"]
    assert "54 pairs: 44 safe in both, 5 fixed by the patch, 0 broken by it, 5 locked in both" in lines
    assert "the patch adds 4 MiB of peak memory at the median, 16 MiB at most (256 CPUs, 1 page)" in lines


@pytest.mark.parametrize(
    ("rows", "safe", "locks"),
    [
        ([at(1000, "ok"), at(2000, "chained"), at(5000, "soft_lockup", 64), at(9000, "ok")], "2k", "from 64 CPUs"),
        ([at(1000, "soft_lockup", 64), at(9000, "soft_lockup", 32), at(1, "ok")], "1", "from 32 CPUs"),
        ([at(1, "soft_lockup", 64), at(1, "ok", 128)], "none", "at 64 CPUs"),
        ([at(1, "soft_lockup", 64), at(1, "soft_lockup", 128), at(1, "ok", 1024)], "none", "64 to 128 CPUs"),
        ([at(1000, "ok"), at(2000, "chained")], "2k (all)", "never (1 chain)"),
        ([at(1000, "ok")], "1k (all)", "never"),
        ([at(5000, "soft_lockup"), at(9000, "ok")], "none", "from 8 CPUs"),
        ([at(1000, "ok"), at(2000, None), at(5000, "ok")], "1k?", "never (1 unknown)"),
        ([at(2000, None), at(5000, "ok")], "none?", "never (1 unknown)"),
    ],
)
def test_safe_rate_and_onset(rows: list[dict[str, Any]], safe: str, locks: str) -> None:
    line = table(*rows).splitlines()[4]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == ["1 page", safe, locks, "0"]


@pytest.mark.parametrize("verdict", ["soft_lockup", "chained"])
@pytest.mark.parametrize("policies", [("array",), ("list_127", "array_127"), ("array", "list", "a" * 60, "b" * 60)])
@pytest.mark.parametrize("sizes", [("1",), tuple(map(str, range(1, 60))), ("1:0.123456789,32:0.2,64:0.3,128:0.4",)])
def test_it_fits_a_terminal(policies: tuple[str, ...], sizes: tuple[str, ...], verdict: str) -> None:
    rows = [
        result_row({"policy": p, "iova_pages": s, "cpus": c}, verdict=verdict, memory_peak_bytes=123456789012)
        | {"soft_lockup_hazard_per_hour": 9.0, "softirq_residency_max_ms": 3000.0}
        for p, s, (c, verdict) in product(policies, sizes, ((4094, "chained"), (4095, verdict), (4096, verdict)))
    ]
    lines = table(*rows).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_long_mixes_stay_apart_and_what_is_cut_says_so() -> None:
    mixes = ("1:0.7,8:0.2,32:0.1", "1:0.7,8:0.2,64:0.1", "1:0.6,8:0.3,32:0.1", "1:0.6,8:0.2,4:0.1,32:0.1")
    rows = [
        at(1e5, "chained") | {"policy": policy, "iova_pages": mix, "id": policy + mix, "memory_peak_bytes": 1 << 36}
        for policy, mix in product(("array", "list"), mixes)
    ]
    lines = table(*rows).splitlines()
    labels = [line.partition("  ")[0] for line in lines if line.startswith("mix ")]
    assert len(set(labels)) == 4
    assert labels[-1] == "mix 1…,64:0.1"
    assert not [label for label in labels if "…" not in label]
    assert all(line.endswith("65,536 -> 65,536") for line in lines if line.startswith("mix "))
    said = " ".join(" ".join(lines).split())
    assert "at most (8 CPUs, 1:0.6,8:0.2,4:0.1,32:0.1 pages)" in said
    assert ", 6 more" in said
    assert max(map(len, lines)) <= 100


def test_safe_scenarios_that_expect_a_lockup_are_marked_and_counted() -> None:
    hazards = [(0.99, 3600), (1.0, 3600), (11.0, 3600), (3.9, 900), (4.1, 900)]
    named = [dict(zip(("soft_lockup_hazard_per_hour", "exposure_s"), pair, strict=True)) for pair in hazards]
    rows = [at(1000 + i, "chained") | pair for i, pair in enumerate(named)]
    text = table(*rows, at(9000, "soft_lockup") | {"soft_lockup_hazard_per_hour": 90.0})
    assert "from 8 CPUs !" in text
    assert "! 3 safe scenarios expect a lockup within exposure_s: less likely than not, but many if any" in text
    assert "!" not in table(*rows[:1])
    assert "never (1 chain) !" in table(rows[1])


def test_a_stay_that_the_run_cut_short_is_told() -> None:
    longest = {"softirq_residency_max_ms": 45.0}
    cut = [at(1000, "chained") | longest | {"unfinished_stay_ms": going_on_ms} for going_on_ms in (0.0, 44.0, 45.0)]
    locked = at(9000, "soft_lockup") | {"softirq_residency_max_ms": 3000.0, "unfinished_stay_ms": 3000.0}
    said = "\nthe longest stay of 1 safe scenario was cut by the end of the run and may go on"
    assert said in table(*cut, locked)
    assert "cut by the end" not in table(*cut[:2], locked, at(1, "ok"))


def test_a_run_too_short_for_a_lockup_is_told() -> None:
    """At HZ=250 the timer comes within 16 ms, at HZ=100 within 20 ms, and a long stay takes 100 ms."""
    short = [at(1, "ok") | {"horizon_s": 0.115}, at(2, "chained") | {"horizon_s": 0.119, "hz": 100}]
    short.append(at(3, "ok") | {"callback_count": 0})
    enough = [at(4, "ok") | {"horizon_s": 0.117}, at(5, "ok") | {"horizon_s": 0.121, "hz": 100}]
    enough += [at(6, "ok") | {"horizon_s": 0.01, "strict": True}, at(9, "soft_lockup") | {"callback_count": 0}]
    said = "\n3 safe scenarios ran too short to show a lockup, which takes a stay of 0.1 s and more"
    assert said in table(*short, *enough)
    assert "too short" not in table(*enough)


def test_what_is_implied_did_not_run_too_short() -> None:
    short = {"horizon_s": 0.05}
    implied = at(2, "ok") | short | {"cell": "implied", "callback_count": None}
    assert "\n1 safe scenario ran too short to show a lockup" in table(at(1, "ok") | short, implied)


def test_a_safe_rate_that_does_not_come_about_is_told() -> None:
    def achieving(policy: str, pages: str, share: float) -> dict[str, Any]:
        row = at(1e5, "chained") | {"policy": policy, "iova_pages": pages}
        return row | {"id": f"{policy}{pages}", "ops_completed": int(share * 1e5 * 2 * 3 * 8)}

    pair = [achieving("array", "1", 0.9), achieving("list", "1", 0.085), achieving("array", "16", 0.51)]
    assert "\nachieved at the safe rate: 1 page after 8.5k of 100k\n" in f"{table(*pair)}\n"
    more = [achieving("list", "16", 0.49), achieving("list", "8", 0.2)]
    assert "1 page after 8.5k of 100k, 8 pages after 20k of 100k, 1 more" in table(*pair, *more)
    assert "achieved at the safe rate: 1 page 20k of 100k" in table(achieving("array", "1", 0.2))
    assert "achieved" not in table(pair[0])


def test_scenarios_outside_what_was_checked_are_counted() -> None:
    rows = [at(1000 + i, "ok") | {"checked": i > 1} for i in range(5)]
    assert table(*rows).endswith("\n2 of 5 run are outside the range in which the model was checked: trust less")
    alone = at(1, "ok") | {"checked": False}
    assert table(alone).endswith("\n1 of 1 run is outside the range in which the model was checked: trust less")
    assert "outside" not in table(*rows[2:])


def test_policies_beyond_the_pair_are_named_with_their_share() -> None:
    rows = [
        result_row({"policy": p, "seed": i}, verdict="soft_lockup" if p == "array_cpus" and i else "ok")
        for p in ("array", "list", "array_cpus", "list_127")
        for i in (0, 1)
    ]
    assert table(*rows).splitlines()[-1] == ("share locked up with the others: array_cpus 50%, list_127 0%")


def test_one_is_no_plural() -> None:
    assert table(at(1000, "ok")).startswith("1 scenario; ")
    assert "\n1 pair: 1 safe in both" in table(*(at(1000, "ok") | {"policy": p, "id": p} for p in ("array", "list")))


def test_scenarios_of_one_policy_only_are_no_pairs() -> None:
    text = table(result_row({"policy": "array"}), result_row({"policy": "list", "seed": 1}))
    assert "no scenario was run under both policies" in text
