"""From results to lines: scenarios that differ in their rate alone, and what is compared of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from sweep.aggregate import with_rate
from sweep.baseline.boundary import Boundary, boundary
from sweep.config import COST_NAMES, LOAD_NAMES, RATE
from sweep.plan.rate import PERIOD
from sweep.store.chunk import FAILED as FAILURE
from workers.jiffies import rearm_period_ms
from workers.results import LIKELY_LOCKUP
from workers.schema import LOCKED

LOAD = ("policy", *(name for name in LOAD_NAMES if name != PERIOD))
"""Scenario columns that tell lines apart. Costs do so only where a grid varies them: else they are under test."""

STAY, PROBABILITY = "softirq_residency_max_ms", "soft_lockup_probability"
FREES, RECLAIM = "rbtree_erases", "depot_reclaim_s"
FIGURES = ("verdict", "status", STAY, PROBABILITY, FREES, RECLAIM, "memory_peak_bytes", "memory_end_bytes")
LEAST_STAY_MS = 1e-6
"""What counts for no stay, which has no logarithm."""

MIB_DIGITS, MS_DIGITS, S_DIGITS, FREES_DIGITS = 5, 4, 4, 4


@dataclass(frozen=True)
class Line:
    """One line, figures rounded as they are kept.

    ``load``: its columns (LOAD, and costs that vary); ``rates_per_s``: what was run, ascending; ``verdicts``: of each,
    or FAILURE. ``chains_from``, by the logarithm of the longest stay in the softirq, and ``locks_from``, by the
    probability of a soft lockup: None where every cell failed. Of the rates without lockup and failure, None where
    there are none: ``memory_peak_mib``, ``memory_end_mib``, ``reclaim_s``, the most of any rate. Of the calm rates,
    those below the re-arm period: ``safe_stay_ms``, the longest stay in the softirq, and ``tree_frees``, IOVAs freed to
    the tree, by an overflow, by trimming or because they are oversize.
    """

    load: Mapping[str, Any]
    rates_per_s: tuple[float, ...]
    verdicts: tuple[str, ...]
    chains_from: Boundary | None
    locks_from: Boundary | None
    safe_stay_ms: float | None
    tree_frees: float | None
    memory_peak_mib: float | None
    memory_end_mib: float | None
    reclaim_s: float | None

    @property
    def alive(self) -> tuple[bool, ...]:
        """At which rates it neither locks up nor failed."""
        return tuple(verdict not in (LOCKED, FAILURE) for verdict in self.verdicts)

    @property
    def name(self) -> tuple[tuple[str, Any], ...]:
        """What it is found by in another baseline."""
        return tuple(self.load.items())


def lines(results: pl.LazyFrame, varied: tuple[str, ...]) -> list[Line]:
    """The lines of a results table, sorted by their load. ``varied``: costs that the grid varies."""
    load = [*LOAD, *varied]
    unique = results.select(*load, PERIOD, *FIGURES).unique([*load, PERIOD], keep="any")  # equal content, equal results
    by_rate = with_rate(unique).sort(PERIOD, descending=True)
    grouped = by_rate.group_by(load, maintain_order=True).agg(RATE, *FIGURES).collect()
    found = [_line({name: row[name] for name in load}, row) for row in grouped.iter_rows(named=True)]
    return sorted(found, key=lambda line: [_order(value) for value in line.load.values()])


def _line(load: dict[str, Any], row: Mapping[str, list[Any]]) -> Line:
    rates = row[RATE]
    verdicts = [FAILURE if s == FAILURE else v for s, v in zip(row["status"], row["verdict"], strict=True)]
    rearm_ms = float(rearm_period_ms(load["hz"]))
    ran = [i for i, verdict in enumerate(verdicts) if verdict != FAILURE]
    alive = [i for i in ran if verdicts[i] != LOCKED]
    stays = row[STAY]
    calm = [i for i in alive if stays[i] < rearm_ms]
    chains = [verdicts[i] != "ok" for i in ran]
    locks = [verdicts[i] == LOCKED for i in ran]
    ran_rates = [rates[i] for i in ran]
    log_stays = [math.log(max(stays[i], LEAST_STAY_MS)) for i in ran]
    probabilities = [row[PROBABILITY][i] for i in ran]
    return Line(
        load,
        tuple(rates),
        tuple(verdicts),
        boundary(ran_rates, log_stays, chains, math.log(rearm_ms)) if ran else None,
        boundary(ran_rates, probabilities, locks, LIKELY_LOCKUP) if ran else None,
        _most([stays[i] for i in calm], MS_DIGITS),
        _most([row[FREES][i] for i in calm], FREES_DIGITS),
        _most([row["memory_peak_bytes"][i] / 2**20 for i in alive], MIB_DIGITS),
        _most([row["memory_end_bytes"][i] / 2**20 for i in alive], MIB_DIGITS),
        _most([row[RECLAIM][i] for i in alive], S_DIGITS),
    )


def _most(values: list[float], digits: int) -> float | None:
    if not values:
        return None
    most = max(values)
    return most if math.isinf(most) else float(f"{most:.{digits}g}")


def _order(value: Any) -> tuple[int, Any, str]:
    """Numbers by size, also those that an ``iova_pages`` begins with; then texts."""
    if isinstance(value, (bool, int, float)):
        return (0, value, "")
    first = str(value).partition(",")[0].partition(":")[0]
    return (0, int(first), str(value)) if first.isdecimal() else (1, 0, str(value))


def varied_costs(results: pl.LazyFrame) -> tuple[str, ...]:
    """The costs that take more than one value in a table."""
    counted = results.select(pl.col(name).n_unique() for name in COST_NAMES).collect()
    return tuple(name for name in COST_NAMES if counted[name].item() > 1)
