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
    assert lines[-1] == "the patch adds 4 MiB of peak memory at the median, 16 MiB at most (256 CPUs, 1 page)"


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


@pytest.mark.parametrize("policies", [("array",), ("list_127", "array_127"), ("array", "list", "a" * 60, "b" * 60)])
@pytest.mark.parametrize("sizes", [("1",), tuple(map(str, range(1, 60))), ("1:0.123456789,32:0.2,64:0.3,128:0.4",)])
def test_it_fits_a_terminal(policies: tuple[str, ...], sizes: tuple[str, ...]) -> None:
    rows = [
        result_row({"policy": p, "iova_pages": s, "cpus": c}, verdict="soft_lockup", memory_peak_bytes=123456789012)
        for p, s, c in product(policies, sizes, (4095, 4096))
    ]
    lines = table(*rows).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_policies_beyond_the_pair_are_named_with_their_share() -> None:
    rows = [
        result_row({"policy": p, "seed": i}, verdict="soft_lockup" if p == "array_cpus" and i else "ok")
        for p in ("array", "list", "array_cpus", "list_127")
        for i in (0, 1)
    ]
    assert table(*rows).endswith("share locked up with the others: array_cpus 50%, list_127 0%")


def test_scenarios_of_one_policy_only_are_no_pairs() -> None:
    text = table(result_row({"policy": "array"}), result_row({"policy": "list", "seed": 1}))
    assert "no scenario was run under both policies" in text
