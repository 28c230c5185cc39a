"""How far each lane's clock advances in one step."""

from __future__ import annotations

import numpy as np

from workers.params import Params
from workers.state import State

IDLE_NS = 1_000_000.0
SHORTEST_NS = 50_000.0
FIRST_NS = 250_000.0
CALLBACK_SHARE = 0.25
SHORT_PERIOD_NS = 250_000.0
ROUNDS = 4.0


def length_ns(s: State, p: Params) -> np.ndarray:
    """Length of the next slice (lanes,): 1 ms at most, no burst twice, up to the next timer, finer in a callback."""
    turns = np.maximum(np.floor(p.in_flight / p.burst), 1.0)
    longest = np.where(p.period_ns >= SHORT_PERIOD_NS, p.period_ns, turns * p.period_ns)
    longest = np.minimum(longest, IDLE_NS)
    inside = np.clip(CALLBACK_SHARE * (s.lane_now_ns - s.lane_callback_start_ns), FIRST_NS, IDLE_NS)
    longest = np.where(s.lane_in_callback, np.minimum(longest, inside), longest)
    contended = s.lane_lock_wait_ns > p.cost["lock_remote_ns"]
    rounds = np.maximum(ROUNDS * s.lane_lock_wait_ns, SHORTEST_NS)
    longest = np.where(contended, np.minimum(longest, rounds), longest)
    to_timer = np.where(s.lane_in_callback, np.inf, s.lane_timer_due_ns - s.lane_now_ns)
    return np.maximum(np.minimum(np.minimum(longest, to_timer), p.horizon_ns - s.lane_now_ns), 0.0)
