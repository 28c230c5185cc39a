"""When a lane does nothing new any more, and what it will have counted at its horizon.

A lane is watched in windows of WINDOW_NS or WINDOW_PERIODS bursts, whichever is longer. It is steady when, after
EARLIEST_NS, two windows in a row agree in what matters (operations, drained entries, callbacks, time under
iova_rbtree_lock) and in its stocks (tree nodes on both sides, depot, caches). Then its counters go on at the last
window's rates. A lane whose callbacks come near the re-arm period is simulated to the end, as chance decides there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workers import depot, timer
from workers.params import Params
from workers.state import NEVER, RATES, State

WINDOW_NS = 160e6
WINDOW_PERIODS = 4.0
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


def window_ns(p: Params) -> np.ndarray:
    """Length of a window (lanes,): whole periods, so that each holds as many bursts."""
    return np.maximum(np.ceil(WINDOW_NS / p.period_ns), WINDOW_PERIODS) * p.period_ns


def watch(s: State, p: Params) -> np.ndarray:
    """Looks at the lanes whose window is over; the numbers (n,) of those found steady."""
    lanes = np.flatnonzero(s.lane_now_ns >= s.lane_window_end_ns)
    if not len(lanes):
        return lanes
    now = np.stack([s.count[name][lanes] for name in RATES])
    passed = np.maximum(s.lane_now_ns - (s.lane_window_end_ns - window_ns(p)), 1.0)[lanes]
    seen = (now - s.lane_window_start[:, lanes]) / passed
    steady = (s.lane_now_ns[lanes] >= EARLIEST_NS) & _same(seen, s.lane_window_rates[:, lanes]) & _calm(s, p, lanes)
    s.lane_window_start[:, lanes] = now
    s.lane_window_rates[:, lanes] = seen
    s.lane_window_end_ns[lanes] = s.lane_now_ns[lanes] + window_ns(p)[lanes]
    return lanes[steady]


def _same(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Whether two windows' rates (RATES, n) agree; before the first window they are 0, and no window has no bursts."""
    one, other = dict(zip(RATES, new, strict=True)), dict(zip(RATES, old, strict=True))

    def near(figure: Callable[[dict[str, np.ndarray]], np.ndarray], relative: float, least: Any = 0.0) -> np.ndarray:
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


def extrapolate(s: State, p: Params, lanes: np.ndarray) -> None:
    """Moves steady ``lanes`` (n,) to their horizons.

    Counters grow on at the last window's rate, and a list's surplus is trimmed.
    """
    ahead = np.maximum(p.horizon_ns[lanes] - s.lane_now_ns[lanes], 0.0)
    for i, name in enumerate(RATES):
        s.count[name][lanes] += s.lane_window_rates[i, lanes] * ahead
    s.lane_in_callback[lanes] = False
    runs = np.floor(ahead / np.maximum(p.trim_period_ns[lanes], 1.0)) * (s.lane_work_due_ns[:, lanes] < NEVER)
    trimmed = np.minimum(runs * p.trim_magazines[lanes], depot.surplus(s.lane_depot, p)[:, lanes])
    pfns = s.lane_depot_pfns[..., lanes] * np.repeat(trimmed / np.maximum(s.lane_depot[:, lanes], 1.0), 2, axis=0)
    s.lane_nodes[:, lanes] -= np.stack((pfns[0::2].sum(0), pfns[1::2].sum(0)))
    s.lane_depot[:, lanes] -= trimmed
    s.lane_now_ns[lanes] = p.horizon_ns[lanes]
