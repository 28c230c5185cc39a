"""When a lane does nothing new any more, and what it will have counted at its horizon.

A lane is watched in windows of WINDOW_NS or WINDOW_PERIODS bursts, whichever is longer. It is steady when two windows
in a row agree in what matters (operations, drained entries, callbacks, time under iova_rbtree_lock) and in its stocks
(tree nodes on both sides, depot, caches). Then its counters go on at the last window's rates. That may be a calm state,
or a deep chain: one stay in the softirq all the while, of callbacks far longer than the re-arm period, which then goes on
to the horizon. A lane whose callbacks come near the re-arm period is simulated to the end, as chance decides there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workers import depot
from workers.params import Params
from workers.state import NEVER, RATES, State

WINDOW_NS = 160e6
WINDOW_PERIODS = 4.0
CALM_SHARE = 0.6  # of the re-arm period that the longest stay may take
TOLERANCE = 0.03
NODES_TOLERANCE = 0.005
LEAST_CALLBACK_NS = 20_000.0
LEAST_MAGAZINES = 2.0
LEAST_HELD = 0.01
NEARLY_FULL = 0.1  # of the space below 4 GiB that is open
DEEP_SHARE = 2.0  # of the re-arm period that a deep chain's callbacks take on average
LEAST_CALLBACKS = 8.0  # of a deep chain in a window, so that their mean says something
DEEP_CALLBACK_TOLERANCE = 0.1


def window_ns(p: Params) -> np.ndarray:
    """Length of a window (lanes,): whole periods, so that each holds as many bursts."""
    return np.maximum(np.ceil(WINDOW_NS / p.period_ns), WINDOW_PERIODS) * p.period_ns


def watch(s: State, p: Params) -> np.ndarray:
    """Looks at the lanes whose window is over; the numbers (n,) of those found steady."""
    lanes = np.flatnonzero((s.lane_now_ns >= s.lane_window_end_ns) & ~_chain_has_few(s, p))
    if not len(lanes):
        return lanes
    now = np.stack([s.count[name][lanes] for name in RATES])
    passed = np.maximum(s.lane_now_ns - (s.lane_window_end_ns - window_ns(p)), 1.0)[lanes]
    seen = (now - s.lane_window_start[:, lanes]) / passed
    deep = _deep(s, p, lanes, passed, seen)
    tolerance = np.where(deep, DEEP_CALLBACK_TOLERANCE, TOLERANCE)
    steady = _same(seen, s.lane_window_rates[:, lanes], tolerance) & (_calm(s, p, lanes) | deep)
    s.lane_window_start[:, lanes] = now
    s.lane_window_rates[:, lanes] = seen
    s.lane_window_end_ns[lanes] = s.lane_now_ns[lanes] + window_ns(p)[lanes]
    return lanes[steady]


def _chain_has_few(s: State, p: Params) -> np.ndarray:
    """Lanes in a stay that has lasted for the whole window, with fewer than LEAST_CALLBACKS callbacks in it: (lanes,).

    Their windows go on until there are as many.
    """
    began = s.lane_window_end_ns - window_ns(p)
    few = s.count["callbacks"] - s.lane_window_start[RATES.index("callbacks")] < LEAST_CALLBACKS
    return few & s.lane_in_callback & (s.lane_softirq_start_ns < began)


def _deep(s: State, p: Params, lanes: np.ndarray, passed_ns: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Whether the stay in the softirq has lasted for twice this window, with callbacks of DEEP_SHARE on average: (n,)."""
    stay_ns = s.lane_now_ns[lanes] - s.lane_softirq_start_ns[lanes]
    mean_ns = seen[RATES.index("callback_ns")] / np.maximum(seen[RATES.index("callbacks")], 1e-12)
    rearm_ns = p.timer_jiffies[lanes] * p.tick_ns[lanes]
    return s.lane_in_callback[lanes] & (stay_ns > 2.0 * passed_ns) & (mean_ns >= DEEP_SHARE * rearm_ns)


def _same(new: np.ndarray, old: np.ndarray, of_callbacks: np.ndarray) -> np.ndarray:
    """Whether two windows' rates (RATES, n) agree; before the first window they are 0, and no window has no bursts.

    ``of_callbacks`` (n,): tolerance of their mean and of what they drain.
    """
    one, other = dict(zip(RATES, new, strict=True)), dict(zip(RATES, old, strict=True))

    def near(figure: Callable[[dict[str, np.ndarray]], np.ndarray], relative: Any, least: Any = 0.0) -> np.ndarray:
        a, b = figure(one), figure(other)
        return np.abs(a - b) <= np.maximum(relative * np.maximum(np.abs(a), np.abs(b)), least)

    few_nodes = NODES_TOLERANCE * (one["low_nodes_x_ns"] + one["high_nodes_x_ns"])
    return (
        near(lambda w: w["ops"], TOLERANCE)
        & near(lambda w: w["drained_by_timer"] + w["drained_locally"], of_callbacks)
        & near(lambda w: w["callback_ns"] / np.maximum(w["callbacks"], 1e-12), of_callbacks, LEAST_CALLBACK_NS)
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
    going_on_ns = np.where(s.lane_in_callback, s.lane_now_ns - s.lane_softirq_start_ns, 0.0)[lanes]
    longest_ns = np.maximum(s.count["residency_max_ns"][lanes], going_on_ns)
    full = s.lane_open_pages[lanes] < NEARLY_FULL * p.room_below_4g_pages[lanes]
    return (longest_ns < CALM_SHARE * rearm_ns) & ~(full & p.dma32_first[lanes] & ~p.is_list[lanes])


def extrapolate(s: State, p: Params, lanes: np.ndarray) -> None:
    """Moves steady ``lanes`` (n,) to their horizons.

    Counters grow on at the last window's rate, and a list's surplus is trimmed. A deep chain is still in its stay then,
    in a callback as old as the one it is in now.
    """
    ahead = np.maximum(p.horizon_ns[lanes] - s.lane_now_ns[lanes], 0.0)
    for i, name in enumerate(RATES):
        s.count[name][lanes] += s.lane_window_rates[i, lanes] * ahead
    calm = _calm(s, p, lanes)
    s.lane_in_callback[lanes] &= ~calm
    s.lane_callback_start_ns[lanes] += ahead
    runs = np.floor(ahead / np.maximum(p.trim_period_ns[lanes], 1.0)) * (s.lane_work_due_ns[:, lanes] < NEVER)
    trimmed = np.minimum(runs * p.trim_magazines[lanes], depot.surplus(s.lane_depot, p)[:, lanes])
    pfns = s.lane_depot_pfns[..., lanes] * np.repeat(trimmed / np.maximum(s.lane_depot[:, lanes], 1.0), 2, axis=0)
    s.lane_nodes[:, lanes] -= np.stack((pfns[0::2].sum(0), pfns[1::2].sum(0)))
    s.lane_depot[:, lanes] -= trimmed
    s.lane_now_ns[lanes] = p.horizon_ns[lanes]
