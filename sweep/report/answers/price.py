"""What each policy costs in memory: at the peak, for good, in address space, and until it is given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from workers.policy import depot_values, trims
from workers.results import full_magazine_bytes

FIGURES = ("memory_peak_bytes", "memory_end_bytes", "iova_space_cached_peak_bytes", "depot_reclaim_s")


def prices(table: pl.LazyFrame) -> pl.DataFrame:
    """A row a policy, sorted: ``cpus`` (the most), and of each of FIGURES NAME_median and NAME_most (null where nothing
    was run). ``table``: of ``Results``."""
    each = [
        expr
        for name in FIGURES
        for expr in (
            pl.col(name).quantile(0.5, "nearest").alias(f"{name}_median"),
            pl.col(name).max().alias(f"{name}_most"),
        )
    ]
    return table.group_by("policy").agg(pl.col("cpus").max(), *each).sort("policy").collect()


@dataclass(frozen=True)
class Keeps:
    """What a depot keeps for good in one bin: ``magazines``, None without a limit; ``bytes`` of these with the struct
    iovas in them, of one domain."""

    magazines: int | None
    bytes: int | None


def keeps(policy: str, keys: dict[str, Any], cpus: int) -> Keeps:
    """Of a policy (the ``keys`` of its file in conf/depot) on a machine of ``cpus``.

    An array keeps what it has room for; a list keeps num_online_cpus() magazines, or whatever its file says, and
    everything where nothing trims it. Source: drivers/iommu/iova.c, iova_depot_work_func().
    """
    depot = depot_values(policy, keys, cpus)
    if depot["depot_kind"] == "list" and not trims(depot):
        return Keeps(None, None)
    magazines = int(depot["trim_threshold"] if depot["depot_kind"] == "list" else depot["depot_capacity"])
    return Keeps(magazines, magazines * full_magazine_bytes(depot))
