"""Address space that several sizes lose to alignment.

The allocator takes the highest aligned gap, so IOVAs of a mix are laid down from the limit one below the other, each at
a multiple of its own size rounded up to a power of two. Where a large one follows a small one, pages are left between
them, which only smaller ones fit into. How far the end of the last one is from a multiple of the largest size is a
Markov chain over the draws of the mix.
"""

from __future__ import annotations

from functools import cache

import numpy as np

MOST_STATES = 1024
DRAWS = 2000
"""After so many the offset has forgotten where it began."""


@cache
def lost_pages(mix: tuple[tuple[int, float], ...]) -> float:
    """Mean pages left free above an IOVA of ``mix``, (aligned size in pages, weight) each."""
    largest = max(slot for slot, _ in mix)
    unit = max(min(slot for slot, _ in mix), largest // MOST_STATES)
    states = largest // unit
    at = np.arange(states)
    moves, lost = np.zeros((states, states)), np.zeros(states)
    for slot, weight in mix:
        size = max(slot // unit, 1)
        gap = -at % size
        moves[at, (at + gap + size) % states] += weight
        lost += weight * gap
    settled = np.linalg.matrix_power(moves, DRAWS)[0]
    return float(settled @ lost) * unit
