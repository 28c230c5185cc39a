"""The two patches: a depot without limit, trimmed by a worker (911aa1245da8, 233045378dbb)."""

from __future__ import annotations

from sweep.capacity.fleet import HostClass
from sweep.capacity.kernels import fixed_policy, is_fixed
from sweep.capacity.remedies.remedy import Changes, NoEffect, Remedy


def answer(host: HostClass) -> Changes | NoEffect:
    """The depot of the kernel with the fix."""
    if is_fixed(host.kernel):
        return NoEffect(f"{host.kernel} has it already")
    return Changes({"policy": fixed_policy(host.kernel)})


REMEDY = Remedy("patch", "the patch", "a kernel update and a reboot; depot memory as shown", answer)
