"""The patch and the clamp together: the patch does nothing for IOVAs above 32 pages, and the clamp cuts these up."""

from __future__ import annotations

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies import clamp, patch
from sweep.capacity.remedies.remedy import Answer, Changes, NoEffect, Remedy


def answer(host: HostClass) -> Answer:
    """Both, where both change something; else one of the two says it."""
    patched, smaller = patch.answer(host), clamp.answer(host)
    if isinstance(patched, Changes) and isinstance(smaller, Changes):
        return Changes(patched.columns | smaller.columns)
    nothing = patched if isinstance(patched, NoEffect) else smaller
    return NoEffect(f"nothing beyond one of the two, as {nothing.why}" if isinstance(nothing, NoEffect) else "")


REMEDY = Remedy("patch_and_clamp", "the patch and the clamp", "both of these", answer)
