"""The kernels that a fleet may run: which depot policy each has, and which kernel has its fix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """``policy``: the depot it has, a name in conf/depot; ``fix``: the kernel with 911aa1245da8 and 233045378dbb."""

    policy: str
    fix: str


KERNELS = {
    "5.15": Kernel("array", "5.15+fix"),
    "5.15+fix": Kernel("list", "5.15+fix"),
    "6.1": Kernel("array_127", "6.12"),
    "6.12": Kernel("list_127", "6.12"),
}


def is_fixed(kernel: str) -> bool:
    """Whether it has the two patches."""
    return KERNELS[kernel].fix == kernel


def fixed_policy(kernel: str) -> str:
    """The depot policy of the kernel with the fix; its own where it is fixed."""
    return KERNELS[KERNELS[kernel].fix].policy
