"""How long fq_flush_timeout runs, and how long the softirq is not left, against the limits that make it a lockup."""

from __future__ import annotations

import polars as pl

from sweep.aggregate import CALLBACK
from sweep.report.answers.loads import CUT
from workers.jiffies import rearm_period_ms
from workers.results import SOFT_LOCKUP_MS
from workers.schema import LOCKED

SOFT_LOCKUP_S = SOFT_LOCKUP_MS / 1e3
RCU_STALLS_S = (21.0, 60.0)
"""RCU_CPU_STALL_TIMEOUT: the default, and Ubuntu's on amd64 and arm64."""


def by_machine(loads: pl.DataFrame) -> pl.DataFrame:
    """A row a policy, row of IOVA sizes and CPU count, sorted: the worst scenario's CALLBACK (each its own), in ms.
    ``loads``: of ``by_load``."""
    line = ["policy", "size_order", "size_row", "cell_cpus"]
    return loads.group_by(line).agg(pl.col(name).max() for name in CALLBACK).sort(line)


def rearm_ms(loads: pl.DataFrame) -> tuple[float, float]:
    """The shortest and the longest re-arm period of the loads; the same where all have one HZ."""
    periods = rearm_period_ms(loads["hz_low"].append(loads["hz_high"]).unique().to_numpy())
    return float(periods.min()), float(periods.max())


def limits(table: pl.LazyFrame) -> pl.DataFrame:
    """A row a policy and iova_pages: scenarios with figures (run), the worst of CALLBACK, how many outlast the
    re-arm period, reach rcu_stall_s (rcu_stall) and 10 s with interrupts off (hard_lockup), and of how many the longest
    stay was cut by the end of the run (cut; null where an older version of the model did not record it)."""
    stay_ms = pl.col("softirq_residency_max_ms")
    return (
        table.filter(stay_ms.is_not_null())
        .group_by("policy", "iova_pages")
        .agg(
            pl.len().cast(pl.Int64).alias("run"),
            *(pl.col(name).max() for name in CALLBACK),
            pl.col("verdict").is_in(["chained", LOCKED]).sum().cast(pl.Int64).alias("outlast"),
            pl.col("rcu_stall").sum().cast(pl.Int64),
            pl.col("hard_lockup").sum().cast(pl.Int64),
            pl.when(CUT.is_not_null().any()).then(CUT.sum().cast(pl.Int64)).alias("cut"),
        )
        .sort("policy", "iova_pages")
        .collect()
    )
