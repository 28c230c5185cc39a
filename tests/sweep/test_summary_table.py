"""The closing table: short, narrow, and true."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from sweep.aggregate import by_load
from sweep.summary_table import onset, safe_rate, table
from tests.sweep.frames import boundary_frame, lazy, result_row


def at(rate: float, verdict: str, cpus: int = 8) -> dict[str, object]:
    return result_row({"unmap_burst": 10, "burst_period_us": 1e7 / rate, "cpus": cpus}, verdict=verdict) | {
        "unmap_rate_per_s": rate
    }


def test_the_known_boundary() -> None:
    lines = table(boundary_frame().lazy()).splitlines()
    assert lines[0] == "108 scenarios; before = array, after = list; the worst over everything not named"
    found = {line.split()[0]: line.split() for line in lines if "->" in line}
    assert found["1"][2:] == ["100k", "(all)", "100k", "(all)", "never", "never", "16", "->", "32"]
    assert found["16"][2:] == ["1k", "100k", "(all)", "from", "64", "CPUs", "never", "16", "->", "32"]
    assert "54 pairs: 44 safe in both, 5 fixed by the patch, 0 broken by it, 5 locked in both" in lines
    assert lines[-1] == "the patch adds 4 MiB of peak memory at the median, 16 MiB at most (256 CPUs, 1 pages)"


def test_a_safe_rate_lies_below_every_lockup_of_any_machine() -> None:
    rows = [at(1000, "ok"), at(2000, "chained"), at(5000, "soft_lockup", 64), at(9000, "ok"), at(5000, "ok")]
    assert safe_rate(by_load(lazy(*rows))) == "2k"
    assert safe_rate(by_load(lazy(*rows[:2]))) == "2k (all)"
    assert safe_rate(by_load(lazy(rows[2], rows[3]))) == "none"
    assert safe_rate(by_load(lazy(*rows).clear())) == "not run"


def test_onset_names_the_smallest_machine() -> None:
    assert (
        onset(by_load(lazy(at(1000, "soft_lockup", 64), at(9000, "soft_lockup", 32), at(1, "ok", 8)))) == "from 32 CPUs"
    )
    assert onset(by_load(lazy(at(1000, "chained"), at(9000, "ok")))) == "never (1 chain)"
    assert onset(by_load(lazy(at(1000, "ok")).clear())) == "not run"


@pytest.mark.parametrize("policies", [("array",), ("list_127", "array_127"), ("array", "list", "a" * 60, "b" * 60)])
@pytest.mark.parametrize("sizes", [("1",), tuple(map(str, range(1, 60))), ("1:0.123456789,32:0.2,64:0.3,128:0.4",)])
def test_it_fits_a_terminal(policies: tuple[str, ...], sizes: tuple[str, ...]) -> None:
    rows = [
        result_row({"policy": p, "iova_pages": s, "cpus": c}, verdict="soft_lockup", memory_peak_bytes=123456789012)
        for p, s, c in product(policies, sizes, (4095, 4096))
    ]
    lines = table(lazy(*rows)).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_policies_beyond_the_pair_are_named_with_their_share() -> None:
    rows = [
        result_row({"policy": p, "seed": i}, verdict="soft_lockup" if p == "array_cpus" and i else "ok")
        for p in ("array", "list", "array_cpus", "list_127")
        for i in (0, 1)
    ]
    assert table(lazy(*rows)).endswith("share locked up with the others: array_cpus 50%, list_127 0%")


def test_scenarios_of_one_policy_only_are_no_pairs() -> None:
    text = table(pl.concat([lazy(result_row({"policy": "array"})), lazy(result_row({"policy": "list", "seed": 1}))]))
    assert "no scenario was run under both policies" in text
