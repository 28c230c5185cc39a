"""Ticks of the timer wheel. Source: kernel/time/timer.c, calc_index()."""

from __future__ import annotations

import numpy as np


def rearm_period_ms(hz: np.ndarray) -> np.ndarray:
    """Longest time from arming the 10 ms flush timer to its run, in ms; ``hz``: ticks a second, any shape.

    The wheel rounds up by one jiffy.
    """
    hz = np.asarray(hz)
    return rearm_jiffies(hz) * 1000.0 / hz


def rearm_jiffies(hz: np.ndarray) -> np.ndarray:
    """The same in ticks: msecs_to_jiffies(10) + 1."""
    return -(-10 * hz // 1000) + 1
