"""Small results tables by hand, and the baselines that they make."""

from __future__ import annotations

from typing import Any

import polars as pl

from sweep.baseline.file import Baseline
from sweep.baseline.lines import lines, varied_costs
from tests.sweep.frames import frame, result_row

BURST = 64
MIB = 1 << 20


def cell(rate: float, stay_ms: float = 1.0, verdict: str = "", **given: Any) -> dict[str, Any]:
    """A row of a line: a rate, the longest stay, and the verdict that follows from it where none is given.

    A lockup is certain or impossible, as the verdict says, but for ``soft_lockup_probability``.
    """
    scenario = {"cpus": 128, "iova_pages": "16", "policy": "list", "unmap_burst": BURST, "in_flight": 512}
    results = {"memory_peak_bytes": 8 * MIB, "memory_end_bytes": 7 * MIB, "depot_reclaim_s": 2.0, "rbtree_erases": 640}
    verdict = verdict or ("ok" if stay_ms < 16 else "chained" if stay_ms < 1000 else "soft_lockup")
    results["soft_lockup_probability"] = float(verdict == "soft_lockup")
    results |= {name: given.pop(name) for name in list(given) if name in (*results, "status", "error")}
    row = result_row(
        scenario | {"burst_period_us": 1e6 * BURST / rate} | given,
        softirq_residency_max_ms=stay_ms,
        verdict=verdict,
        **results,
    )
    row |= {name: results[name] for name in ("status", "error") if name in results}
    none = dict.fromkeys(("verdict", "softirq_residency_max_ms", "soft_lockup_probability"))
    return row | none if row["status"] == "failed" else row


def table(*rows: dict[str, Any]) -> pl.LazyFrame:
    """Rows of ``cell`` as results."""
    return frame(*rows).lazy()


def baseline(*rows: dict[str, Any], **said: Any) -> Baseline:
    """The baseline that such rows make."""
    made = table(*rows)
    head: dict[str, Any] = {"grid": "ci", "model_version": "1", "costs": {}, "policies": {}} | said
    return Baseline(**head, lines=tuple(lines(made, varied_costs(made))))
