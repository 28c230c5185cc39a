"""The patch and the clamp together: the patch does nothing for IOVAs above 32 pages, and the clamp cuts these up."""

from __future__ import annotations

from typing import Any

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies import clamp, patch
from sweep.capacity.remedies.remedy import Changes, NoEffect, Remedy


def answer(host: HostClass) -> Changes | NoEffect:
    """Both, where both change something; else one of the two says it."""
    columns: dict[str, Any] = {}
    for one in (patch.answer(host), clamp.answer(host)):
        if isinstance(one, NoEffect):
            return NoEffect(f"nothing beyond one of the two, as {one.why}")
        columns |= one.columns
    return Changes(columns)


REMEDY = Remedy("patch_and_clamp", "the patch and the clamp", "both of these", answer)
