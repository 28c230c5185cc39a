"""``iommu.forcedac=1``: no first try below 4 GiB (drivers/iommu/dma-iommu.c, iommu_dma_alloc_iova())."""

from __future__ import annotations

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies.remedy import Answer, Changes, NoEffect, Remedy


def answer(host: HostClass) -> Answer:
    """Every IOVA from the device's whole range."""
    if not host.scenario["dma32_first"]:
        return NoEffect("dma32_first is false already")
    return Changes({"dma32_first": False})


REMEDY = Remedy("forcedac", "iommu.forcedac=1", "a reboot; devices whose 64-bit addressing is broken fail", answer)
