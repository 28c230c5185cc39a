"""``iommu.strict=1``: each unmap flushes the IOTLB and frees at once; no queue and no timer, so no such lockup."""

from __future__ import annotations

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies.remedy import Answer, Changes, NoEffect, Remedy


def answer(host: HostClass) -> Answer:
    """An IOTLB flush for each unmap."""
    if host.scenario["strict"]:
        return NoEffect("strict is true already")
    return Changes({"strict": True})


REMEDY = Remedy("strict", "iommu.strict=1", "a reboot, and a flush for every unmap: see the achieved rate", answer)
