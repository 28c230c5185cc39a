"""Where the second policy adds most."""

from __future__ import annotations

from typing import Any

from sweep.report.answers.paired import most_added, paired_of
from tests.sweep.frames import lazy, result_row

BOTH = ("array", "list")


def row(policy: str, cpus: int, memory: int | None, **scenario: Any) -> dict[str, Any]:
    return result_row({"policy": policy, "cpus": cpus} | scenario, memory_peak_bytes=memory)


def test_the_least_machine_of_those_that_grow_most() -> None:
    grown = {8: 5, 16: 90, 32: 90, 64: 20}
    rows = [row(policy, cpus, 100 + more * (policy == "list")) for cpus, more in grown.items() for policy in BOTH]
    found = most_added(paired_of(lazy(*rows)), *BOTH)
    assert found is not None
    assert (found.most_bytes, found.cpus, found.iova_pages) == (90, 16, "1")
    assert found.median_bytes in (20, 90)


def test_nothing_to_say() -> None:
    for rows in (
        [row("array", 8, 100), row("list", 16, 100)],
        [row("array", 8, 100), row("list", 8, None)],
        [row("array", 8, 100)],
    ):
        assert most_added(paired_of(lazy(*rows)), *BOTH) is None
