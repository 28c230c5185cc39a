"""Which scenarios are settled event by event (workers.events), as slices (workers.step) are too coarse for them.

Slices are right where nobody waits long. Where iova_rbtree_lock is what everything waits for, the order in which CPUs
get it decides: oversize IOVAs go to the tree one by one, bursts that begin together queue up for it, and a callback
near the re-arm period chains or does not.
"""

from __future__ import annotations

import numpy as np

from workers import bursts, timer
from workers.params import Params
from workers.results import rearm_period_ms
from workers.schema import FQ_SLOTS, RCACHE_MAX_PAGES, Columns, parse_iova_pages
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

LIKELY = 0.25
"""Expected stay, as a share of the re-arm period, from which on a scenario is taken for delicate before it ran."""

MOST_IN_FLIGHT = 2_000_000.0
MOST_CLASSES = 255
"""Size classes that workers.events.side can tell apart."""

MOST_PAGES = 2.0**35
"""Of the 2^36 that a device sees: where less is mapped no map fails."""


def seconds(bursts_per_s: np.ndarray, burst: np.ndarray, oversize_share: np.ndarray) -> np.ndarray:
    """What a virtual second costs event by event, in seconds of one core, measured; arrays of one shape.

    ``bursts_per_s`` of all CPUs, of ``burst`` unmaps each; ``oversize_share`` of the IOVAs bypass the rcache.
    """
    requests = np.minimum(bursts_per_s * burst * oversize_share * SECONDS_PER_OVERSIZE, BUSY_LOCK_SECONDS)
    return bursts_per_s * (SECONDS_PER_BURST + burst * SECONDS_PER_UNMAP) + requests


def affordable(p: Params) -> np.ndarray:
    """Whether each lane's events (lanes,) can be followed one by one: not too many, nor too many IOVAs or sizes."""
    in_flight = p.active * p.in_flight
    most_pages = 2.0 * in_flight * (p.weight * p.slot_pages).sum(0)
    fits = (in_flight <= MOST_IN_FLIGHT) & (most_pages <= MOST_PAGES) & ((p.weight > 0).sum(0) <= MOST_CLASSES)
    oversize_share = (p.weight * p.oversize).sum(0)
    return (seconds(1e9 * p.active / bursts.pace_ns(p), p.burst, oversize_share) <= MOST_SECONDS) & fits


def from_the_start(p: Params) -> np.ndarray:
    """Lanes (lanes,) whose IOVAs bypass the rcache, or whose CPUs unmap at the same time."""
    return (p.oversize.any(0) | p.aligned) & affordable(p)


def found(s: State, p: Params) -> np.ndarray:
    """Lanes (lanes,) that came near a chain."""
    return timer.longest_stay_ns(s) >= NEAR_CHAIN * p.timer_jiffies * p.tick_ns


def expected_seconds(scenarios: Columns) -> np.ndarray:
    """What the events of each scenario will cost on one core, before it ran; 0 where slices will do; shape (rows,).

    ``scenarios``: scenario and depot columns. Oversize and aligned ones are known; of the others those whose timer is
    likely to work long: it drains what the rings hold a re-arm period after they were empty, or half a ring where they
    fill up by themselves, and an array frees what it has no room for.
    """
    s = scenarios
    active, burst = s["active_cpus"], s["unmap_burst"]
    bursts_per_s = 1e6 * active / s["burst_period_us"]
    oversize_share = _oversize_share(s["iova_pages"])
    cost_s = seconds(bursts_per_s, burst, oversize_share)
    rearm_ns = 1e6 * rearm_period_ms(s["hz"])
    queued = burst * rearm_ns / (1e3 * s["burst_period_us"])
    drained = active * np.where(queued <= FQ_SLOTS, queued, FQ_SLOTS / 2)
    room = np.where(s["depot_kind"] == "list", np.inf, s["depot_capacity"] * s["magazine_pfns"])
    free_ns = s["rb_visit_ns"] * np.log2(2.0 + active * s["in_flight"]) + s["rb_erase_ns"] + s["iova_slab_ns"]
    stay = (drained * s["fq_entry_remote_ns"] + np.maximum(drained - room, 0.0) * free_ns) / rearm_ns
    followed = (oversize_share > 0) | (s["phase"] == "aligned") | ((stay >= LIKELY) & ~s["strict"])
    chained_s = np.where(stay >= 1.0, np.minimum(cost_s, BUSY_LOCK_SECONDS), cost_s)
    return s["horizon_s"] * np.where(followed & (cost_s <= MOST_SECONDS), chained_s, 0.0)


def _oversize_share(iova_pages: np.ndarray) -> np.ndarray:
    """Share (rows,) of each mix's IOVAs that bypass the rcache."""
    mixes = {text: zip(*parse_iova_pages(text), strict=True) for text in set(iova_pages)}
    shares = {text: sum(weight for pages, weight in mix if pages > RCACHE_MAX_PAGES) for text, mix in mixes.items()}
    return np.array([shares[text] for text in iova_pages], float)
