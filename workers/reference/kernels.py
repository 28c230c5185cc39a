"""What differs between the kernels the twin stands for, as one small table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Kernel:
    """One kernel's rules and sizes. Sources: drivers/iommu/iova.c and dma-iommu.c of that version."""

    version: int
    magazine_pfns: int
    depot_capacity: int | None
    """Magazines a bin's depot holds; None: an unbounded list (911aa1245da8)."""
    dma_rounds_size: bool
    """iommu_dma_alloc_iova() rounds small sizes up; else alloc_iova_fast() does."""
    retry_wraps: bool
    """The retry starts at pfn_hi + 1, which is 0 for the anchor: trace 17's fault."""
    every_free_reopens: bool
    """max32_alloc_size is reset by every free below 4 GiB; else only if cached32_node moves."""
    forgets_32bit: bool
    """A device that failed once below 4 GiB is not tried there again."""
    sizeof: Mapping[str, int]
    """Bytes of the structs, as recorded."""
    trim_period_ms: float = 100.0
    trim_magazines: int = 1
    fq_slots: int = 256
    fq_timeout_ms: int = 10

    @property
    def trims(self) -> bool:
        """Whether a push to the depot schedules the depot work (233045378dbb)."""
        return self.depot_capacity is None and self.trim_period_ms > 0 and self.trim_magazines > 0


def _sizeof(magazine: int, rcache: int, fq_entry: int, fq: int, domain: int) -> dict[str, int]:
    return {
        "iova": 40,
        "iova_magazine": magazine,
        "iova_cpu_rcache": 24,
        "iova_rcache": rcache,
        "iova_fq_entry": fq_entry,
        "iova_fq": fq,
        "iova_domain": domain,
    }


_V515 = Kernel(515, 128, 32, True, True, False, False, _sizeof(1032, 280, 32, 8208, 1888))
_V601 = Kernel(601, 127, 32, False, False, True, False, _sizeof(1024, 280, 40, 10256, 128))

KERNELS: dict[str, Kernel] = {
    "5.15": _V515,
    "5.15+fix": replace(_V515, depot_capacity=None, sizeof=_sizeof(1032, 120, 32, 8208, 928)),
    "6.1": _V601,
    "6.12": replace(
        _V601, version=612, depot_capacity=None, forgets_32bit=True, sizeof=_sizeof(1024, 120, 40, 16, 128)
    ),
}


def with_policy(kernel: Kernel, depot: Mapping[str, Any]) -> Kernel:
    """``kernel`` with the depot and magazines of a row's DEPOT_COLUMNS (workers.schema)."""
    return replace(
        kernel,
        magazine_pfns=int(depot["magazine_pfns"]),
        depot_capacity=None if depot["depot_kind"] == "list" else int(depot["depot_capacity"]),
        trim_period_ms=float(depot["trim_period_ms"]),
        trim_magazines=int(depot["trim_magazines"]),
    )
