"""When a lane does nothing new any more, and what it will have counted at its horizon.

A lane is looked at at moments each twice as late as the one before. It is steady where it is at rest (workers.rest) or
keeps its pace (workers.pace).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import pace, rest, timer
from workers.params import Params
from workers.state import PEAKS, WATCHED, State

Figures = dict[str, np.ndarray]
"""WATCHED at a moment, shapes (n,)."""


class Steady(NamedTuple):
    """Lanes (n,) that are steady, which of them are at rest, and what was seen at the last moment but one and at the
    last: what they did in between stands for the rest."""

    lanes: np.ndarray
    resting: np.ndarray
    half: Figures
    last: Figures


def watch(s: State, p: Params) -> Steady | None:
    """Looks at the lanes for which it is time: those found steady, None if there are none."""
    lanes = np.flatnonzero((s.lane_now_ns >= s.lane_look_ns) & (s.lane_now_ns < p.horizon_ns))
    if not len(lanes):
        return None
    now = s.count | {"now_ns": s.lane_now_ns}
    seen = np.concatenate((s.lane_seen[:, :, lanes], [[now[name][lanes] for name in WATCHED]]))
    s.lane_seen[:, :, lanes] = seen[1:]
    s.lane_look_ns[lanes] *= 2.0 ** (np.floor(np.log2(s.lane_now_ns[lanes] / s.lane_look_ns[lanes])) + 1.0)
    known = seen[0, WATCHED.index("now_ns")] > 0
    lanes, seen = lanes[known], seen[..., known]
    figures = [dict(zip(WATCHED, moment, strict=True)) for moment in seen]
    quarter, half, last = (rest.Seen(*[moment[name] for name in rest.Seen._fields]) for moment in figures)
    limits, stay_ns = rest.Limits(*(limit[lanes] for limit in p.limits)), timer.longest_stay_ns(s)[lanes]
    resting = rest.at_rest(quarter, half, last, limits, s.lane_nodes[1, lanes], stay_ns)
    steady = resting | pace.keeps(quarter, half, last, limits, stay_ns)
    if not steady.any():
        return None
    since, until = ({name: values[steady] for name, values in moment.items()} for moment in figures[1:])
    return Steady(lanes[steady], resting[steady], since, until)


def extrapolate(s: State, p: Params, steady: Steady) -> None:
    """Moves steady lanes to their horizons: counters grow on as since the last moment but one.

    Depots stay as they are: at rest none has a surplus, and one that is trimmed at a pace is refilled at it.
    """
    lanes, half, last = steady.lanes, steady.half, steady.last
    ahead_ns = np.maximum(p.horizon_ns[lanes] - last["now_ns"], 0.0)
    times = ahead_ns / (last["now_ns"] - half["now_ns"])
    doublings = rest.doublings(half["now_ns"], last["now_ns"], p.horizon_ns[lanes])
    grown = pace.ahead(half, last, times, doublings, steady.resting)
    for name in (*pace.SUMS, *PEAKS):
        s.count[name][lanes] += grown[name]
    s.lane_nodes[np.where(p.dma32_first[lanes], 0, 1), lanes] += grown["nodes"]
    s.lane_in_callback[lanes] = False
    s.lane_now_ns[lanes] = p.horizon_ns[lanes]
