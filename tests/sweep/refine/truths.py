"""Made-up truths over a grid of pages x policies x CPUs x bursts x rates, for searches to find."""

from __future__ import annotations

import numpy as np

from sweep.refine.lattice import Lattice, lattice
from sweep.refine.search import Search

SHAPE = (4, 3, 11, 3, 13)
"""Pages and policies have no order, the others have."""


def grid(shape: tuple[int, ...] = SHAPE) -> Lattice:
    return lattice([shape[0], shape[1], *(np.arange(size) for size in shape[2:])])


def places() -> list[np.ndarray]:
    """For each axis its levels from 0 to 1, in the shape of the grid."""
    return np.meshgrid(*(np.linspace(0, 1, size) for size in SHAPE), indexing="ij")


def codes(margin: np.ndarray) -> np.ndarray:
    """Verdicts: 0 below 0, 2 from 1 on."""
    return (margin >= 0).astype(int) + (margin >= 1)


def slope(noise: float = 0.0) -> np.ndarray:
    """Margins that rise with CPUs, bursts and rates; the first two policies are the same, pages move the boundary."""
    pages, policy, cpus, burst, rate = places()
    margin = 4 * rate + 2 * cpus + burst - 3 - pages - 1.5 * (policy == 1)
    return margin + noise * np.random.default_rng(0).normal(size=SHAPE)


def searched(margin: np.ndarray, verdict: np.ndarray, seed: int = 0, cells: Lattice | None = None) -> Search:
    """A search that has ended, over truths in the shape of the grid."""
    search = Search(cells or grid(margin.shape), seed)
    while len(numbers := search.ask()):
        search.tell(numbers, verdict.reshape(-1)[numbers], margin.reshape(-1)[numbers])
    return search
