"""When a load that is not at rest (workers.rest) keeps its pace; and what either of them counts up to its horizon.

Depots are trimmed or overflow now and then, first attempts below 4 GiB are refused: misses do not grow rare, they come
at a rate. Such a load keeps its pace where what it did in the last half of its time it did in the quarter before, too:
operations, callbacks and what they drain, time under iova_rbtree_lock, what it frees to the tree and how far it walks
there; and where the IOVAs it holds hardly grow any more. All that goes on at its rate, peaks as records do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workers import rest
from workers.rest import Limits, Seen

STAY_SHARE = 0.6
"""Share of the re-arm period that the longest stay in the softirq may take."""

FEW = 0.04
"""Share of the IOVAs that may be added up to the horizon."""

NEARLY_FULL = 0.9
"""Share of the space below 4 GiB in use from which on a load that frees to the tree may collapse after seconds, when
drained pfns above 4 GiB fill the magazines or holes are few."""

SAME = {"ops": 0.02, "drained_by_timer": 0.05, "held_ns": 0.05, "erases": 0.2, "walk_steps": 0.2}
"""Relative difference of rates that are the same."""

HARDLY_ANY = 1e-3
"""Of an operation: frees to the tree, steps there or drained IOVAs that make no difference."""

HARDLY_HELD = 0.003
"""Share of the time for which the lock is held that makes no difference either."""

RATES = ("ops", "failures", "flushes", "drained_locally", "drained_by_timer", "callbacks", "callback_ns", "erases")
OF_MISSES = ("acquisitions", "wait_ns", "held_ns", "walk_steps")
"""What grows as misses do: with the logarithm of time in a load at rest, else at its rate."""

SUMS = (*RATES, *OF_MISSES, "inserts")
"""Counters of what was done so far."""

PEAKS = ("depot_peak", "bin_peak", "nodes_peak", "cached_pages_peak")

Figures = Mapping[str, Any]
"""Counters by name; plain numbers, or shapes (lanes,)."""


def keeps(quarter: Seen, half: Seen, now: Seen, limits: Limits, stay_max_ns: Any) -> Any:
    """Whether a load, seen at three moments each twice as late as the one before, keeps its pace up to its horizon.

    ``stay_max_ns``: the longest stay in the softirq so far. One that frees nothing to the tree must not come near the
    size from which on a depot overflows, as what it does then is not known.
    """
    ahead = rest.doublings(half.now_ns, now.now_ns, limits.horizon_ns)
    grown = (now.inserts - now.erases) - (half.inserts - half.erases)
    return (
        (now.now_ns >= limits.earliest_ns)
        & (stay_max_ns < STAY_SHARE * limits.rearm_ns)
        & (ahead * np.abs(grown) <= FEW * now.nodes_peak)
        & ((now.erases > 0) | rest.spares_depot(half, now, limits))
        & ((now.nodes_peak <= NEARLY_FULL * limits.nodes) | np.logical_not(limits.frees_to_tree))
        & rest.same_callbacks(quarter, half, now)
        & _same_rates(quarter, half, now)
    )


def _same_rates(quarter: Seen, half: Seen, now: Seen) -> Any:
    def rate(name: str, since: Seen, until: Seen) -> Any:
        return (getattr(until, name) - getattr(since, name)) / (until.now_ns - since.now_ns)

    few = HARDLY_ANY * rate("ops", half, now)
    same: Any = True
    for name, relative in SAME.items():
        before, lately = rate(name, quarter, half), rate(name, half, now)
        least = HARDLY_HELD if name == "held_ns" else few
        same = same & (np.abs(lately - before) <= np.maximum(relative * np.maximum(lately, before), least))
    return same


def ahead(half: Figures, now: Figures, times: Any, doublings: Any, resting: Any) -> dict[str, Any]:
    """By how much counters grow, by name, in ``times`` the time from ``half`` to ``now``: so many ``doublings`` of it;
    ``resting``: where the load is at rest.

    ``nodes`` is the level of IOVAs in the tree: where the load is not at rest it only goes up and down with the timer.
    """
    more = {name: now[name] - half[name] for name in now}
    kept = more["inserts"] - more["erases"]
    pace = dict.fromkeys(RATES, times) | dict.fromkeys(OF_MISSES, np.where(resting, doublings, times))
    pace |= dict.fromkeys(PEAKS, doublings)
    grown = {name: pace[name] * more[name] for name in pace if name in more}
    inserts = times * more["erases"] + doublings * kept
    return grown | {"inserts": inserts, "nodes": np.where(resting, doublings, 0.0) * kept}
