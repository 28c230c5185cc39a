"""How far each lane's clock advances in one step."""

from __future__ import annotations

import numpy as np

from workers.slices.params import Params
from workers.slices.state import State

LONGEST_NS = 1_000_000.0
FIRST_NS = 500_000.0  # of a callback; then CALLBACK_SHARE of what it has taken
CALLBACK_SHARE = 0.35
SHORT_PERIOD_NS = 250_000.0  # shorter periods have several bursts in a slice
ROUNDS = 4.0  # of a contended lock: more, and CPUs that finish a burst in a slice fall into step
SHORTEST_ROUNDS_NS = 250_000.0


def next_ns(s: State, p: Params) -> np.ndarray:
    """Length of the next slice (lanes,): as long as may be, up to the next timer and the horizon."""
    to_timer = np.where(s.lane_in_callback, np.inf, s.lane_timer_due_ns - s.lane_now_ns)
    return np.maximum(np.minimum(np.minimum(longest_ns(s, p), to_timer), p.horizon_ns - s.lane_now_ns), 0.0)


def calm_ns(pace_ns: np.ndarray, burst: np.ndarray, in_flight: np.ndarray) -> np.ndarray:
    """What a slice may last where nobody waits, same shapes: 1 ms at most, no burst twice, but of bursts that come
    soon after another as many as replace what is in flight. ``pace_ns``: from burst to burst."""
    turns = np.where(pace_ns >= SHORT_PERIOD_NS, 1.0, np.maximum(np.floor(in_flight / burst), 1.0))
    return np.minimum(turns * pace_ns, LONGEST_NS)


def longest_ns(s: State, p: Params) -> np.ndarray:
    """What a slice may last (lanes,): as a calm one, finer in a callback and at a contended lock."""
    longest = calm_ns(p.pace_ns, p.burst, p.in_flight)
    inside = np.clip(CALLBACK_SHARE * (s.lane_now_ns - s.lane_callback_start_ns), FIRST_NS, LONGEST_NS)
    longest = np.where(s.lane_in_callback, np.minimum(longest, inside), longest)
    rounds = np.maximum(ROUNDS * s.lane_lock_wait_ns, SHORTEST_ROUNDS_NS)
    longest = np.where(p.oversize.any(0) & s.lane_contended, np.minimum(longest, rounds), longest)
    one_round = np.clip(s.lane_lock_wait_ns, SHORTEST_ROUNDS_NS, LONGEST_NS)
    takes_turns = s.lane_contended & s.lane_in_callback & (~p.is_list | p.oversize.any(0))
    return np.where(takes_turns, np.minimum(longest, one_round), longest)
