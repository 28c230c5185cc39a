"""When a load is at rest: nothing reaches the tree any more but misses that grow rare; and how counters then go on.

Where no IOVA was ever freed to the tree, all lie below 4 GiB, and no depot comes near the size at which it overflows or
is trimmed, IOVAs only go round: in flight, queued, cached. A map then misses only where fewer are cached than ever
before, and adds one to them. Records of a stationary sequence grow rare: their number goes with the logarithm of time
(Chandler, The distribution and frequency of record values, 1952). So what misses count, and the peaks, grow by as much
with each doubling of time; all else goes on at its rate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from workers.jiffies import rearm_period_ms
from workers.mixes import mean_slot_pages, some_bypass
from workers.policy import capacity, trims
from workers.schema import PFNS_BELOW_4G, Columns

CALLBACKS = 32
"""Periods of the timer, or of bursts where those are longer, after which a load may be at rest."""

LIFETIMES = 32
"""Of an IOVA that bypasses the rcache, after which the holes it leaves in the address space may be as they will be: up
to then searches grow longer."""

MOST_DOUBLINGS = 4
"""Of the time seen, up to the horizon."""

NEARLY = 0.8
"""Share of a depot, and of the space below 4 GiB, that may be in use at the horizon."""

CALM_SHARE = 0.4
"""Share of the re-arm period that the longest stay in the softirq may take."""

FEW = 0.02
"""Share of the IOVAs that may be added up to the horizon: more are added while magazines fill up for the first time."""

SAME, SAME_NS = 0.05, 20_000.0
"""Relative and absolute difference between means of callbacks that are the same."""


class Seen(NamedTuple):
    """What a load did up to a moment; plain numbers, or shapes (lanes,)."""

    now_ns: Any
    callbacks: Any
    callback_ns: Any
    """Time of all finished callbacks."""
    depot_peak: Any
    """Magazines in all depots."""
    nodes_peak: Any
    ops: Any
    drained_by_timer: Any
    held_ns: Any
    """Time for which iova_rbtree_lock was held."""
    erases: Any
    inserts: Any
    walk_steps: Any


class Limits(NamedTuple):
    """What a load at rest stays away from; plain numbers, or shapes (lanes,)."""

    horizon_ns: Any
    earliest_ns: Any
    """When a load may first be at rest; it is looked at then, and each time that is twice or half as late."""
    rearm_ns: Any
    magazines: Any
    """From which on a depot overflows or is trimmed, inf if neither."""
    nodes: Any
    """For which there is room below 4 GiB, inf where IOVAs need not lie there."""
    frees_to_tree: Any
    """Whether IOVAs that are freed may reach the tree: where the depot overflows, or some bypass the rcache."""


def limits(scenarios: Columns) -> Limits:
    """Of each scenario, shapes (rows,); ``scenarios``: scenario and depot columns."""
    rearm_ns, horizon_ns = 1e6 * rearm_period_ms(scenarios["hz"]), 1e9 * scenarios["horizon_s"]
    period_ns, holds = 1e3 * scenarios["burst_period_us"], capacity(scenarios)
    bypass = some_bypass(scenarios["iova_pages"])
    lifetime_ns = scenarios["in_flight"] / scenarios["unmap_burst"] * period_ns
    settled_ns = np.maximum(CALLBACKS * np.maximum(rearm_ns, period_ns), np.where(bypass, LIFETIMES * lifetime_ns, 0.0))
    # one CPU alone is no random sequence: its bursts beat against the ticks for as long as it runs
    settled_ns = np.where(scenarios["active_cpus"] == 1, np.inf, settled_ns)
    return Limits(
        horizon_ns=horizon_ns,
        earliest_ns=np.maximum(settled_ns, horizon_ns / 2.0**MOST_DOUBLINGS),
        rearm_ns=rearm_ns,
        magazines=np.where(trims(scenarios), scenarios["trim_threshold"], holds),
        nodes=np.where(scenarios["dma32_first"], PFNS_BELOW_4G / mean_slot_pages(scenarios["iova_pages"]), np.inf),
        frees_to_tree=np.isfinite(holds) | bypass,
    )


def doublings(half_ns: Any, now_ns: Any, horizon_ns: Any) -> Any:
    """How many times time grows, up to the horizon, by as much as it did from ``half_ns`` to ``now_ns``."""
    return np.log(horizon_ns / now_ns) / np.log(now_ns / half_ns)


def at_rest(quarter: Seen, half: Seen, now: Seen, limits: Limits, above_4g: Any, stay_max_ns: Any) -> Any:
    """Whether a load, seen at three moments each twice as late as the one before, is at rest up to its horizon.

    Now ``above_4g`` IOVAs lie there, and ``stay_max_ns`` was the longest stay in the softirq.
    """
    ahead = doublings(half.now_ns, now.now_ns, limits.horizon_ns)
    more_nodes = ahead * (now.nodes_peak - half.nodes_peak)
    return (
        (now.now_ns >= limits.earliest_ns)
        & (now.erases == 0)
        & ((above_4g == 0) | np.isinf(limits.nodes))
        & (stay_max_ns < CALM_SHARE * limits.rearm_ns)
        & (more_nodes <= FEW * now.nodes_peak)
        & (now.nodes_peak + more_nodes <= NEARLY * limits.nodes)
        & spares_depot(half, now, limits)
        & same_callbacks(quarter, half, now)
    )


def spares_depot(half: Seen, now: Seen, limits: Limits) -> Any:
    """Whether the depots will not come near the size from which on one overflows or is trimmed."""
    more = doublings(half.now_ns, now.now_ns, limits.horizon_ns) * (now.depot_peak - half.depot_peak)
    return now.depot_peak + more <= NEARLY * limits.magazines


def same_callbacks(quarter: Seen, half: Seen, now: Seen) -> Any:
    """Whether callbacks took as long in the last half of the time as in the quarter before."""

    def mean_ns(since: Seen, until: Seen) -> Any:
        return (until.callback_ns - since.callback_ns) / np.maximum(until.callbacks - since.callbacks, 1)

    before_ns, lately_ns = mean_ns(quarter, half), mean_ns(half, now)
    return np.abs(lately_ns - before_ns) <= np.maximum(SAME * np.maximum(lately_ns, before_ns), SAME_NS)
