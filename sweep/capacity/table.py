"""capacity.csv: a row a host class, numbers as they are, for a spreadsheet or a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from sweep.capacity import words
from sweep.capacity.costs import TABLES
from sweep.capacity.kernels import KERNELS
from sweep.capacity.remedies.remedy import Remedy
from sweep.capacity.report import advice
from sweep.capacity.study import SIDES, Findings, Line
from sweep.capacity.totals import lockups_per_year


def table(findings: Sequence[Findings], remedies: Sequence[Remedy]) -> pl.DataFrame:
    """The columns are in the order of the report; an empty cell is what does not exist, such as no safe rate."""
    rows = [dict(_row(found, remedies)) for found in findings]
    return pl.DataFrame(rows, infer_schema_length=None)


def _row(found: Findings, remedies: Sequence[Remedy]) -> Iterator[tuple[str, Any]]:
    host = found.host
    yield "name", host.name
    yield "count", host.count
    yield "kernel", host.kernel
    yield "fixed_kernel", KERNELS[host.kernel].fix
    yield "host", host.host
    yield "workload", host.workload
    yield "cpus", host.scenario["cpus"]
    yield "active_cpus", host.scenario["active_cpus"]
    yield "iova_pages", host.scenario["iova_pages"]
    yield "domains", host.scenario["domains"]
    yield "load_hours_per_year", host.load_hours_per_year
    yield "unmap_rate_per_s", host.unmap_rate_per_s
    for side, line in zip(SIDES, (found.now, found.after), strict=True):
        yield from _line(side, line)
        yield f"{side}_checked", line.checked
        yield f"{side}_memory_end_bytes", line.row["memory_end_bytes"]
        yield f"{side}_depot_reclaim_s", line.row["depot_reclaim_s"]
        expected = lockups_per_year(host, line)
        yield f"{side}_lockups_per_year", expected and expected.expected
        yield f"{side}_lockups_per_year_low", expected and expected.low
        yield f"{side}_lockups_per_year_high", expected and expected.high
        answer = found.costs[side]
        yield f"{side}_costs", answer.kind
        yield f"{side}_costs_that_flip", " ".join(answer.costs)
        for name in TABLES:
            yield f"{side}_verdict_{name}_costs", answer.verdicts[name]
    for remedy in remedies:
        yield from _line(remedy.name, found.remedies.get(remedy.name))
        yield f"{remedy.name}_answer", words.answered(found.answers[remedy.name])
    yield "would_help", advice(found, remedies)
    yield "runs_too_short", found.short


def _line(name: str, line: Line | None) -> Iterator[tuple[str, Any]]:
    """Empty where the model had nothing to run."""
    yield f"{name}_verdict", line and line.verdict
    yield f"{name}_safe_up_to_factor", line and line.headroom.safe
    yield f"{name}_unsafe_at_factor", line and line.headroom.unsafe
    yield f"{name}_failed_at_factor", line and line.headroom.failed
    yield f"{name}_tested_up_to_factor", line and line.headroom.most
    yield f"{name}_achieved_rate_per_s", line and line.achieved_rate_per_s
    yield f"{name}_memory_peak_bytes", line and line.row["memory_peak_bytes"]
