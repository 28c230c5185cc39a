"""When a lane does nothing new any more, and what it will have counted at its horizon.

A lane is looked at at moments each twice as late as the one before, until it keeps its pace (workers.pace).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import growth, pace
from workers.slices import timer
from workers.slices.params import Params
from workers.slices.state import PEAKS, WATCHED, State

Figures = dict[str, np.ndarray]
"""WATCHED at a moment, shapes (n,)."""


class Steady(NamedTuple):
    """Lanes (n,) that keep their pace, and what was seen of them at the last three moments."""

    lanes: np.ndarray
    quarter: Figures
    half: Figures
    last: Figures


def watch(s: State, p: Params) -> Steady | None:
    """Looks at the lanes for which it is time: those found steady, None if there are none."""
    lanes = np.flatnonzero((s.lane_now_ns >= s.lane_look_ns) & (s.lane_now_ns < p.horizon_ns))
    if not len(lanes):
        return None
    now = s.count | {"now_ns": s.lane_now_ns, "bin_peak": s.lane_depot_peak.max(0)}
    seen = np.concatenate((s.lane_seen[:, :, lanes], [[now[name][lanes] for name in WATCHED]]))
    s.lane_seen[:, :, lanes] = seen[1:]
    s.lane_look_ns[lanes] *= 2.0 ** (np.floor(np.log2(s.lane_now_ns[lanes] / s.lane_look_ns[lanes])) + 1.0)
    known = seen[0, WATCHED.index("now_ns")] > 0
    lanes, seen = lanes[known], seen[..., known]
    figures = [dict(zip(WATCHED, moment, strict=True)) for moment in seen]
    quarter, half, last = map(pace.seen, figures)
    limits, stay_ns = pace.Limits(*(limit[lanes] for limit in p.limits)), timer.longest_stay_ns(s)[lanes]
    steady = pace.keeps(quarter, half, last, limits, stay_ns)
    if not steady.any():
        return None
    return Steady(lanes[steady], *({name: values[steady] for name, values in moment.items()} for moment in figures))


def extrapolate(s: State, p: Params, steady: Steady) -> None:
    """Moves steady lanes to their horizons: counters grow on as they did.

    Depots stay as they are: one that is trimmed at a pace is refilled at it. IOVAs that are added count as those of the
    side where first attempts look; only the sum of both sides is asked for any more.
    """
    lanes = steady.lanes
    grown = growth.ahead(steady.quarter, steady.half, steady.last, p.horizon_ns[lanes])
    for name in (*growth.SUMS, *PEAKS):
        s.count[name][lanes] += grown[name]
    s.lane_nodes[np.where(p.dma32_first[lanes], 0, 1), lanes] += grown["nodes"]
    s.lane_in_callback[lanes] = False
    s.lane_now_ns[lanes] = p.horizon_ns[lanes]
