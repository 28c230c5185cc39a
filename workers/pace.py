"""When a load keeps its pace: it has done for a while what it will do, so it need not be followed to its horizon.

It is seen at three moments, each twice as late as the one before. In the last half of its time its callbacks took as
long and drained as much as in the quarter before, it completed as many operations, and the IOVAs it holds hardly grow
any more. If some were freed to the tree, what happens there went on at its rate. If none was, IOVAs only go round, in
flight, queued, cached, and what reaches the tree may grow rare (workers.growth). Loads near a change are followed to
their end: those whose depot may overflow or be trimmed for the first time, or whose space below 4 GiB may fill up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from workers.growth import doublings
from workers.jiffies import rearm_period_ms
from workers.mixes import mean_slot_pages, some_bypass
from workers.policy import capacity, trims
from workers.schema import PFNS_BELOW_4G, Columns

CALLBACKS = 16
"""Periods of the timer, or of bursts where those are longer, after which a load may keep its pace."""

LIFETIMES = 32
"""Of an IOVA that bypasses the rcache, after which the holes it leaves in the address space may be as they will be: up
to then searches grow longer."""

EXACT = 1e-9
"""Share of a period of bursts up to which it is a whole number of ticks."""

MOST_DOUBLINGS = 4
"""Of the time seen, up to the horizon."""

STAY_SHARE = 0.6
"""Share of the re-arm period that the longest stay in the softirq may take."""

FEW = 0.04
"""Share of the IOVAs that may be added up to the horizon: more are added while magazines fill up for the first time."""

NEARLY = 0.8
"""Share of a depot that may be in use at the horizon where none has overflowed or was trimmed so far: one load of the
truth file collapses after it was foreseen to come to 0.95 of its array."""

NEARLY_FULL, FULL = 0.9, 1.1
"""IOVAs, as a share of those for which there is room below 4 GiB. From the first one on a load that frees to the tree
may collapse after seconds, when drained pfns above 4 GiB fill the magazines or holes are few, and any other one may yet
fill that space; from the second one on it is full for good."""

SAME_CALLBACKS, SAME_CALLBACKS_NS = 0.05, 20_000.0
"""Relative and absolute difference between means of callbacks that are the same."""

SAME = {"ops": 0.02, "drained_by_timer": 0.05}
SAME_IN_TREE = {"held_ns": 0.05, "erases": 0.2, "walk_steps": 0.2}
"""Relative difference of rates that are the same. What happens in the tree may also become less, where nothing is freed
there."""

FREED_TOGETHER = 128
"""IOVAs that are freed to the tree one after the other: a magazine."""

BY_CHANCE = 0.4
"""Share by which what is freed up to the horizon may be off by chance, if magazines came as such: they come more
evenly."""

HARDLY_ANY = 1e-3
"""Of an operation: frees to the tree, steps there or drained IOVAs that make no difference."""

HARDLY_HELD = 0.003
"""Share of the time for which the lock is held that makes no difference either."""


class Seen(NamedTuple):
    """What a load did up to a moment; plain numbers, or shapes (lanes,)."""

    now_ns: Any
    callbacks: Any
    callback_ns: Any
    """Time of all finished callbacks."""
    bin_peak: Any
    """Magazines of the fullest depot."""
    nodes_peak: Any
    ops: Any
    drained_by_timer: Any
    held_ns: Any
    """Time for which iova_rbtree_lock was held."""
    erases: Any
    inserts: Any
    walk_steps: Any


def seen(figures: Mapping[str, Any]) -> Seen:
    """Of counters by name."""
    return Seen(*(figures[name] for name in Seen._fields))


class Limits(NamedTuple):
    """What a load is judged by; plain numbers, or shapes (lanes,)."""

    horizon_ns: Any
    earliest_ns: Any
    """When a load may first be found to keep its pace; it is looked at then, and each time that is twice or half as
    late."""
    rearm_ns: Any
    magazines: Any
    """From which on a depot overflows or is trimmed, inf if neither."""
    nodes: Any
    """For which there is room below 4 GiB, inf where IOVAs need not lie there."""
    frees_to_tree: Any
    """Whether many freed IOVAs may reach the tree at once: where a depot overflows, or some bypass the rcache."""
    lifetime_ns: Any
    """Of an IOVA in flight."""


def limits(scenarios: Columns) -> Limits:
    """Of each scenario, shapes (rows,); ``scenarios``: scenario and depot columns."""
    rearm_ns, horizon_ns = 1e6 * rearm_period_ms(scenarios["hz"]), 1e9 * scenarios["horizon_s"]
    period_ns, holds = 1e3 * scenarios["burst_period_us"], capacity(scenarios)
    bypass = some_bypass(scenarios["iova_pages"])
    lifetime_ns = scenarios["in_flight"] / scenarios["unmap_burst"] * period_ns
    settled_ns = np.maximum(CALLBACKS * np.maximum(rearm_ns, period_ns), np.where(bypass, LIFETIMES * lifetime_ns, 0.0))
    settled_ns = np.maximum(settled_ns, beat_ns(period_ns, 1e9 / scenarios["hz"]))
    # one CPU alone is no random sequence: its bursts beat against the ticks for as long as it runs
    settled_ns = np.where(scenarios["active_cpus"] == 1, np.inf, settled_ns)
    return Limits(
        horizon_ns=horizon_ns,
        earliest_ns=np.maximum(settled_ns, horizon_ns / 2.0**MOST_DOUBLINGS),
        rearm_ns=rearm_ns,
        magazines=np.where(trims(scenarios), scenarios["trim_threshold"], holds),
        nodes=np.where(scenarios["dma32_first"], PFNS_BELOW_4G / mean_slot_pages(scenarios["iova_pages"]), np.inf),
        frees_to_tree=np.isfinite(holds) | bypass,
        lifetime_ns=lifetime_ns,
    )


def beat_ns(period_ns: Any, tick_ns: Any) -> Any:
    """After which bursts come at the same moments between ticks again; 0 where they always do."""
    ahead_ns = np.abs(period_ns - tick_ns * np.rint(period_ns / tick_ns))
    same = ahead_ns <= EXACT * period_ns
    return np.where(same, 0.0, period_ns * tick_ns / np.where(same, 1.0, ahead_ns))


def keeps(quarter: Seen, half: Seen, now: Seen, limits: Limits, stay_max_ns: Any) -> Any:
    """Whether a load keeps its pace up to its horizon; ``stay_max_ns``: the longest stay in the softirq so far."""
    ahead = doublings(half.now_ns, now.now_ns, limits.horizon_ns)
    grown = (now.inserts - now.erases) - (half.inserts - half.erases)
    return (
        (now.now_ns >= limits.earliest_ns)
        & (stay_max_ns < STAY_SHARE * limits.rearm_ns)
        & (ahead * np.abs(grown) <= FEW * now.nodes_peak)
        & _far_from_change(quarter, half, now, limits, ahead)
        & _turned_over(quarter, now, limits)
        & _known_rate(quarter, half, now, limits)
        & _same_callbacks(quarter, half, now)
        & _same_rates(quarter, half, now)
    )


def _far_from_change(quarter: Seen, half: Seen, now: Seen, limits: Limits, ahead: Any) -> Any:
    """Whether depot and space below 4 GiB stay as they are: in use by less than a share, or full for good. The space
    does not matter to a list that is trimmed."""
    frees = now.erases > 0
    magazines = now.bin_peak + ahead * (now.bin_peak - half.bin_peak)
    nodes = now.nodes_peak + ahead * (now.nodes_peak - half.nodes_peak)
    room = np.where(frees, now.nodes_peak, nodes) <= NEARLY_FULL * limits.nodes
    full = np.where(frees, np.logical_not(limits.frees_to_tree), quarter.nodes_peak >= FULL * limits.nodes)
    return (frees | (magazines <= NEARLY * limits.magazines)) & (room | full)


def _turned_over(quarter: Seen, now: Seen, limits: Limits) -> Any:
    """Whether each IOVA in flight was freed and mapped again: the first ones lie below 4 GiB as long as there is room,
    so what lies above comes back last, and maps miss in waves from then on."""
    return (now.nodes_peak <= NEARLY_FULL * limits.nodes) | (quarter.now_ns >= limits.lifetime_ns)


def _known_rate(quarter: Seen, half: Seen, now: Seen, limits: Limits) -> Any:
    """Whether nothing was freed to the tree lately, or enough to go on at that rate."""
    magazines = (now.erases - half.erases) / FREED_TOGETHER
    ahead = 1.0 - now.now_ns / limits.horizon_ns
    return (now.erases == quarter.erases) | (ahead <= BY_CHANCE * np.sqrt(magazines))


def _same_callbacks(quarter: Seen, half: Seen, now: Seen) -> Any:
    def mean_ns(since: Seen, until: Seen) -> Any:
        return (until.callback_ns - since.callback_ns) / np.maximum(until.callbacks - since.callbacks, 1)

    before_ns, lately_ns = mean_ns(quarter, half), mean_ns(half, now)
    same_ns = np.maximum(SAME_CALLBACKS * np.maximum(lately_ns, before_ns), SAME_CALLBACKS_NS)
    return np.abs(lately_ns - before_ns) <= same_ns


def _same_rates(quarter: Seen, half: Seen, now: Seen) -> Any:
    def rate(name: str, since: Seen, until: Seen) -> Any:
        return (getattr(until, name) - getattr(since, name)) / (until.now_ns - since.now_ns)

    few = HARDLY_ANY * rate("ops", half, now)
    same: Any = True
    for name, relative in (SAME | SAME_IN_TREE).items():
        before, lately = rate(name, quarter, half), rate(name, half, now)
        least = HARDLY_HELD if name == "held_ns" else few
        more = lately - before
        off = np.where((name in SAME_IN_TREE) & (now.erases == 0), more, np.abs(more))
        same = same & (off <= np.maximum(relative * np.maximum(lately, before), least))
    return same
