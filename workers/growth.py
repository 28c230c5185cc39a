"""What a load that keeps its pace (workers.pace) counts up to its horizon.

Operations, callbacks and frees to the tree go on at their rates. A map misses where fewer IOVAs are cached, for its CPU
and in the depot, than it takes. Where depots are trimmed or overflow, or first attempts below 4 GiB are refused, that
happens at a rate. Else IOVAs only go round, in flight, queued, cached, and it happens where fewer are cached than ever
before: records of a stationary sequence, whose number goes with the logarithm of time (Chandler, The distribution and
frequency of record values, 1952). In between lie loads that do both. So what misses count goes on as a power of time,
by as much more with each doubling of time as with the last one: from as much again (the logarithm) to twice as much (a
rate). Peaks, and IOVAs that are added to the tree for good, grow as records do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

RATES = ("ops", "failures", "flushes", "drained_locally", "drained_by_timer", "callbacks", "callback_ns", "erases")
OF_MISSES = ("acquisitions", "wait_ns", "held_ns", "walk_steps")
"""What grows as misses do."""

SUMS = (*RATES, *OF_MISSES, "inserts")
"""Counters of what was done so far."""

PEAKS = ("depot_peak", "bin_peak", "nodes_peak", "cached_pages_peak")

Figures = Mapping[str, Any]
"""Counters by name; plain numbers, or shapes (lanes,)."""


def doublings(half_ns: Any, now_ns: Any, horizon_ns: Any) -> Any:
    """How many times time grows, up to the horizon, by as much as it did from ``half_ns`` to ``now_ns``."""
    return np.log(horizon_ns / now_ns) / np.log(now_ns / half_ns)


def ahead(quarter: Figures, half: Figures, now: Figures, horizon_ns: Any) -> dict[str, Any]:
    """By how much counters grow up to the horizon, by name, as they did between three moments, each twice as late as
    the one before (``now_ns``). ``nodes`` is the level of IOVAs in the tree."""
    times = (horizon_ns - now["now_ns"]) / (now["now_ns"] - half["now_ns"])
    again = doublings(half["now_ns"], now["now_ns"], horizon_ns)
    before = {name: half[name] - quarter[name] for name in OF_MISSES}
    more = {name: now[name] - half[name] for name in now}
    grown = {name: times * more[name] for name in RATES if name in more}
    grown |= {name: power(before[name], more[name], now["now_ns"] / half["now_ns"], again) for name in OF_MISSES}
    grown |= {name: again * more[name] for name in PEAKS if name in more}
    kept = again * (more["inserts"] - more["erases"])
    return grown | {"inserts": grown["erases"] + kept, "nodes": kept}


def power(before: Any, more: Any, ratio: Any, times: Any) -> Any:
    """What a count that grew by ``before``, and then by ``more`` while time grew by a ``ratio``, gains while time grows
    by that ratio so many ``times``: as a power of time, from its logarithm to proportion."""
    factor = np.clip(more / np.maximum(before, 1e-9), 1.0, ratio)
    level = factor <= 1.0
    factor = np.where(level, ratio, factor)
    return more * np.where(level, times, (factor**times - 1.0) / (1.0 - 1.0 / factor))
