"""Which scenarios are settled event by event (workers.events), as slices (workers.step) are too coarse for them.

Slices are right where nobody waits long. Where iova_rbtree_lock is what everything waits for, the order in which CPUs
get it decides: oversize IOVAs go to the tree one by one, bursts that begin together queue up for it, and a callback
near the re-arm period chains or does not.
"""

from __future__ import annotations

import numpy as np

from workers import bursts, timer
from workers.params import Params
from workers.state import State

NEAR_CHAIN = 0.4
"""Share of the re-arm period from which on a stay in the softirq is one that may chain."""

MOST_SECONDS = 15.0
"""Cost of a virtual second above which a scenario stays with the slices."""

SECONDS_PER_BURST = 15e-6
SECONDS_PER_UNMAP = 0.8e-6
SECONDS_PER_OVERSIZE = 20e-6
BUSY_LOCK_SECONDS = 4.0
"""A virtual second of a lock that is always held: so many requests fit, and no more."""

MOST_IN_FLIGHT = 2_000_000.0
MOST_PAGES = 2.0**35
"""Of the 2^36 that a device sees: where less is mapped no map fails."""


def seconds(bursts_per_s: np.ndarray, burst: np.ndarray, oversize_share: np.ndarray) -> np.ndarray:
    """What a virtual second costs event by event, in seconds of one core, measured; arrays of one shape.

    ``bursts_per_s`` of all CPUs, of ``burst`` unmaps each; ``oversize_share`` of the IOVAs bypass the rcache.
    """
    requests = np.minimum(bursts_per_s * burst * oversize_share * SECONDS_PER_OVERSIZE, BUSY_LOCK_SECONDS)
    return bursts_per_s * (SECONDS_PER_BURST + burst * SECONDS_PER_UNMAP) + requests


def affordable(p: Params) -> np.ndarray:
    """Whether the events of each lane (lanes,) can be followed one by one: not too many, nor too many IOVAs."""
    in_flight = p.active * p.in_flight
    most_pages = 2.0 * in_flight * (p.weight * p.slot_pages).sum(0)
    fits = (in_flight <= MOST_IN_FLIGHT) & (most_pages <= MOST_PAGES)
    oversize_share = (p.weight * p.oversize).sum(0)
    return (seconds(1e9 * p.active / bursts.pace_ns(p), p.burst, oversize_share) <= MOST_SECONDS) & fits


def from_the_start(p: Params) -> np.ndarray:
    """Lanes (lanes,) whose IOVAs bypass the rcache, or whose CPUs unmap at the same time."""
    return (p.oversize.any(0) | p.aligned) & affordable(p)


def found(s: State, p: Params) -> np.ndarray:
    """Lanes (lanes,) that came near a chain."""
    return timer.longest_stay_ns(s) >= NEAR_CHAIN * p.timer_jiffies * p.tick_ns
