"""``iommu.passthrough=1``: DMA by physical address. Answered by rule, as there is nothing left to simulate."""

from __future__ import annotations

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies.remedy import Answer, ByRule, Remedy


def answer(host: HostClass) -> Answer:
    """No IOVAs: no flush queue, no timer, no depot, whatever the load."""
    return ByRule("no IOVAs, so no flush queue and no timer")


REMEDY = Remedy(
    "passthrough", "iommu.passthrough=1", "a reboot; devices may reach all memory, isolation is gone", answer
)
