"""What a load that keeps its pace (workers.pace) counts up to its horizon.

Operations, callbacks and frees to the tree go on at their rates. A map misses where fewer IOVAs are cached, for its CPU
and in the depot, than it takes. Where depots are trimmed or overflow, or first attempts below 4 GiB are refused, that
happens at a rate. Else IOVAs only go round, in flight, queued, cached, and it happens where fewer are cached than ever
before: records of a stationary sequence, whose number goes with the logarithm of time (Chandler, The distribution and
frequency of record values, 1952). In between lie loads that do both. So what misses count goes on as a power of time:
each doubling adds f times what the one before added, f from 1 (records) to 2 (a rate). Peaks grow as records do.
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

LEAST = 1e-9
"""Exponent that stands for the logarithm, and count for none."""

Figures = Mapping[str, Any]
"""Counters by name; plain numbers, or shapes (lanes,)."""


def doublings(half_ns: Any, now_ns: Any, horizon_ns: Any) -> Any:
    """How many times time grows, up to the horizon, by as much as it did from ``half_ns`` to ``now_ns``."""
    return np.log(horizon_ns / now_ns) / np.log(now_ns / half_ns)


def times(half_ns: Any, now_ns: Any, horizon_ns: Any) -> Any:
    """How many times as long as from ``half_ns`` to ``now_ns`` it is up to the horizon."""
    return (horizon_ns - now_ns) / (now_ns - half_ns)


def ahead(quarter: Figures, half: Figures, now: Figures, horizon_ns: Any) -> dict[str, Any]:
    """By how much counters grow up to the horizon, by name, as they did between three moments (``now_ns``) before it.

    ``nodes`` is the level of IOVAs in the tree: where some are freed there it only goes up and down with the timer.
    """
    moments = (quarter["now_ns"], half["now_ns"], now["now_ns"])
    again = doublings(*moments[1:], horizon_ns)
    more = {name: now[name] - half[name] for name in now}
    grown = {name: times(*moments[1:], horizon_ns) * more[name] for name in RATES if name in more}
    grown |= {name: power(half[name] - quarter[name], more[name], moments, horizon_ns) for name in OF_MISSES}
    grown |= {name: again * more[name] for name in PEAKS if name in more}
    kept = np.where(more["erases"] > 0, 0.0, again * more["inserts"])
    return grown | {"inserts": grown["erases"] + kept, "nodes": kept}


def power(before: Any, more: Any, moments: tuple[Any, Any, Any], horizon: Any) -> Any:
    """By how much a count grows up to the ``horizon`` that grew by ``before`` and then by ``more`` between three
    ``moments``: as a power of time, between the logarithm of time and time itself."""
    quarter, half, now = moments
    of_records = np.log(now / half) / np.log(half / quarter)
    of_rate = (now - half) / (half - quarter)
    factor = np.maximum(more, LEAST) / np.maximum(before, LEAST)
    exponent = np.clip(np.log(factor / of_records) / np.log(of_rate / of_records), LEAST, 1.0)
    return more * np.expm1(exponent * np.log(horizon / now)) / -np.expm1(-exponent * np.log(now / half))
