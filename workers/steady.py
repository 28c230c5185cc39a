"""When a lane does nothing new any more, and what it will have counted at its horizon.

A lane is looked at at moments each twice as late as the one before. It is steady where it is at rest (workers.rest); or
when, after EARLIEST_NS, what it did since the last moment agrees with what it did before that in what matters
(operations, drained entries, callbacks, time under iova_rbtree_lock) and in its stocks (tree nodes on both sides,
depot, caches). Then its counters go on as since the last moment. A lane whose callbacks come near the re-arm period is
simulated to the end, as chance decides there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from workers import depot, rest, timer
from workers.params import Params
from workers.state import NEVER, PEAKS, RATES, WATCHED, State

EARLIEST_NS = 3e9
"""Depots and trees rise and fall for seconds: of the truth file's slices walks are right in 92 % of the rows when they
are simulated to its 3 s, in 88 % when they may end before."""

CALM_SHARE = 0.6  # of the re-arm period that the longest stay may take
TOLERANCE = 0.03
NODES_TOLERANCE = 0.005
LEAST_CALLBACK_NS = 20_000.0
LEAST_MAGAZINES = 2.0
LEAST_HELD = 0.01
NEARLY_FULL = 0.1  # of the space below 4 GiB that is open

RECORDS = ("acquisitions", "wait_ns", "held_ns", "inserts", "walk_steps", *PEAKS)
"""What grows with the logarithm of time in a lane at rest."""

Figures = dict[str, np.ndarray]
"""WATCHED at a moment, shapes (n,)."""


class Steady(NamedTuple):
    """Lanes (n,) that are steady, those of them at rest, and what was seen at the last moment but one and at the last:
    what they did in between stands for the rest."""

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
    quarter, half, last = [dict(zip(WATCHED, figures, strict=True)) for figures in seen]
    resting = _at_rest(s, p, lanes, (quarter, half, last))
    late = (last["now_ns"] >= EARLIEST_NS) & _calm(s, p, lanes)
    steady = resting | (late & _same(_rates(half, last), _rates(quarter, half)))
    if not steady.any():
        return None
    half, last = ({name: values[steady] for name, values in figures.items()} for figures in (half, last))
    return Steady(lanes[steady], resting[steady], half, last)


def _at_rest(s: State, p: Params, lanes: np.ndarray, moments: Sequence[Figures]) -> np.ndarray:
    quarter, half, last = [rest.Seen(*[figures[name] for name in rest.Seen._fields]) for figures in moments]
    limits = rest.Limits(*(limit[lanes] for limit in p.limits))
    erases, above_4g = s.count["erases"][lanes], s.lane_nodes[1, lanes]
    return rest.at_rest(quarter, half, last, limits, erases, above_4g, timer.longest_stay_ns(s)[lanes])


def _rates(since: Figures, until: Figures) -> Figures:
    """What was counted in a ns between two moments."""
    passed_ns = until["now_ns"] - since["now_ns"]
    return {name: (until[name] - since[name]) / passed_ns for name in RATES}


def _same(one: Figures, other: Figures) -> np.ndarray:
    """Whether the rates of two spans agree (n,)."""

    def near(figure: Callable[[Figures], np.ndarray], relative: float, least: Any = 0.0) -> np.ndarray:
        a, b = figure(one), figure(other)
        return np.abs(a - b) <= np.maximum(relative * np.maximum(np.abs(a), np.abs(b)), least)

    few_nodes = NODES_TOLERANCE * (one["low_nodes_x_ns"] + one["high_nodes_x_ns"])
    return (
        near(lambda w: w["ops"], TOLERANCE)
        & near(lambda w: w["drained_by_timer"] + w["drained_locally"], TOLERANCE)
        & near(lambda w: w["callback_ns"] / np.maximum(w["callbacks"], 1e-12), TOLERANCE, LEAST_CALLBACK_NS)
        & near(lambda w: w["held_ns"], TOLERANCE, LEAST_HELD)
        & near(lambda w: w["low_nodes_x_ns"], 0.0, few_nodes)
        & near(lambda w: w["high_nodes_x_ns"], 0.0, few_nodes)
        & near(lambda w: w["magazines_x_ns"], TOLERANCE, LEAST_MAGAZINES)
        & near(lambda w: w["cached_x_ns"], TOLERANCE, few_nodes)
    )


def _calm(s: State, p: Params, lanes: np.ndarray) -> np.ndarray:
    """Whether no stay came near the re-arm period, and none is likely to: an array depot beside a 32-bit space that is
    nearly full may collapse after seconds, when drained high pfns fill the magazines."""
    rearm_ns = p.timer_jiffies[lanes] * p.tick_ns[lanes]
    full = s.lane_open_pages[lanes] < NEARLY_FULL * p.room_below_4g_pages[lanes]
    calm = timer.longest_stay_ns(s)[lanes] < CALM_SHARE * rearm_ns
    return calm & ~(full & p.dma32_first[lanes] & ~p.is_list[lanes])


def extrapolate(s: State, p: Params, steady: Steady) -> None:
    """Moves steady lanes to their horizons.

    Counters grow on as since the last moment but one, and a list's surplus is trimmed.
    """
    lanes, half, last = steady.lanes, steady.half, steady.last
    ahead_ns = np.maximum(p.horizon_ns[lanes] - last["now_ns"], 0.0)
    times = ahead_ns / (last["now_ns"] - half["now_ns"])
    doublings = rest.doublings(half["now_ns"], last["now_ns"], p.horizon_ns[lanes])
    for name in dict.fromkeys((*RATES, *RECORDS)):
        at_its_rate = 0.0 if name in PEAKS else times
        grows = np.where(steady.resting, doublings, at_its_rate) if name in RECORDS else at_its_rate
        s.count[name][lanes] += grows * (last[name] - half[name])
    more_nodes = np.where(steady.resting, doublings * (last["inserts"] - half["inserts"]), 0.0)
    s.lane_nodes[np.where(p.dma32_first[lanes], 0, 1), lanes] += more_nodes
    s.lane_in_callback[lanes] = False
    runs = np.floor(ahead_ns / np.maximum(p.trim_period_ns[lanes], 1.0)) * (s.lane_work_due_ns[:, lanes] < NEVER)
    trimmed = np.minimum(runs * p.trim_magazines[lanes], depot.surplus(s.lane_depot, p)[:, lanes])
    pfns = s.lane_depot_pfns[..., lanes] * np.repeat(trimmed / np.maximum(s.lane_depot[:, lanes], 1.0), 2, axis=0)
    s.lane_nodes[:, lanes] -= np.stack((pfns[0::2].sum(0), pfns[1::2].sum(0)))
    s.lane_depot[:, lanes] -= trimmed
    s.lane_now_ns[lanes] = p.horizon_ns[lanes]
