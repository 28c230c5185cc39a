"""A stand-in for the model: quick, and wrong on purpose where a scenario's seed asks for it."""

from __future__ import annotations

import os
import time

import numpy as np

from workers.schema import RESULT_COLUMNS, Columns

RAISES, DIES, SLOW = 9000, 8000, 7000
"""Seeds, and the 999 after each, of scenarios that raise, kill the process, take a minute."""

_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}


def simulate(scenarios: Columns) -> Columns:
    """Residency is a hash of the content, so that a row in the wrong place shows."""
    kinds, rows = scenarios["seed"] // 1000 * 1000, len(scenarios["seed"])
    if (kinds == RAISES).any():
        raise ValueError("no such machine")
    if (kinds == DIES).any():
        os._exit(1)
    if (kinds == SLOW).any():
        time.sleep(60)
    results = {c.name: np.full(rows, _ZERO[c.kind], object if c.kind is str else c.kind) for c in RESULT_COLUMNS}
    results["softirq_residency_max_ms"] = scenarios["cpus"] + scenarios["in_flight"] / 1e4
    return results


def simulate_slowly(scenarios: Columns) -> Columns:
    """The same, a fifth of a second a chunk, or what the environment says."""
    time.sleep(float(os.environ.get("FARM_TEST_PAUSE_S", "0.2")))
    return simulate(scenarios)
