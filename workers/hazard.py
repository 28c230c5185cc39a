"""Soft lockups to expect of a load, from the stays in the timer softirq that a run of a few seconds saw.

A soft lockup is a stay of 20 s, rarer than a run is long, so it is inferred. What a long stay does next hardly depends
on how long it has lasted: on the reference machine, stays beyond LONG_STAY_S end at a constant rate (an exponential
tail), whether callbacks take 20 ms or a second. With n ends in E seconds spent beyond it, the rate's posterior is
Gamma(PRIOR + n, E); PRIOR is the one figure taken from the reference machine (docs/agreement.md): whether loads that
chain at 3 s reach 20 s by 22 s. Stays begin at the rate at which they began in the time between them, so stays and the
time between them form an alternating renewal process, whose expected number of beginnings is known in closed form (Cox,
Renewal Theory, 1962, chapter 7).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LOCKUP_S = 20.0
LONG_STAY_S = 0.1
PRIOR = 0.15
SHORTEST_GAP_S = 0.05
"""Least time between long stays that a run counts as having seen: a run inside one from its start knows of no gap."""
INTERVAL = (0.05, 0.95)
NEGLIGIBLE = 1e-12
ENDS_PER_S = np.logspace(-4, 3, 351)
"""Rates at which stays may end, the support of the posterior; shape (rates,)."""


class Hazard(NamedTuple):
    """Shapes (rows,): expected soft lockups an hour with the ends of its 90 % interval, and the probability of one.

    After few stays a small chance of very long ones dominates the mean, which may then exceed the upper quantile: the
    interval's upper end is raised to it.
    """

    per_hour: np.ndarray
    low_per_hour: np.ndarray
    high_per_hour: np.ndarray
    probability: np.ndarray


def hazard(
    ended: np.ndarray, ended_s: np.ndarray, unfinished_s: np.ndarray, simulated_s: np.ndarray, exposure_s: np.ndarray
) -> Hazard:
    """The soft lockups to expect of one domain; arguments of shape (rows,).

    ``ended``: stays of LONG_STAY_S and more that ended, ``ended_s``: their time in all; ``unfinished_s``: the stay
    going on at the end of the ``simulated_s``, 0 if none; ``exposure_s``: time over which the probability is stated.
    """
    rows = len(ended)
    out = Hazard(*(np.zeros(rows) for _ in Hazard._fields))
    some = np.flatnonzero((ended > 0) | (unfinished_s >= LONG_STAY_S))
    if not len(some):
        return out
    n, going_on = ended[some], unfinished_s[some] >= LONG_STAY_S
    inside_s = ended_s[some] + np.where(going_on, unfinished_s[some], 0.0)
    beyond_s = inside_s - (n + going_on) * LONG_STAY_S
    begins_per_s = (n + going_on) / np.maximum(simulated_s[some] - inside_s, SHORTEST_GAP_S)
    weight = _posterior(n, beyond_s)
    lasts = np.exp(-ENDS_PER_S * (LOCKUP_S - LONG_STAY_S))
    per_hour = _per_hour(begins_per_s[:, None], lasts)
    begun = _begun(begins_per_s[:, None], np.maximum(exposure_s[some, None] - LOCKUP_S, 0.0))
    out.per_hour[some] = (weight * per_hour).sum(1)
    low, high = _interval(weight, per_hour)
    out.low_per_hour[some], out.high_per_hour[some] = low, np.maximum(high, out.per_hour[some])
    out.probability[some] = np.minimum((weight * (1.0 - (1.0 - lasts) ** begun)).sum(1), 1.0)
    return out


def longest_stay_s(
    ended: np.ndarray, ended_s: np.ndarray, unfinished_s: np.ndarray, simulated_s: np.ndarray, exposure_s: float
) -> np.ndarray:
    """Median of the longest stay within ``exposure_s``, in s, 0 where none of LONG_STAY_S was seen; shape (rows,)."""
    going_on = unfinished_s >= LONG_STAY_S
    inside_s = ended_s + np.where(going_on, unfinished_s, 0.0)
    weight = _posterior(ended, inside_s - (ended + going_on) * LONG_STAY_S)
    begins_per_s = ((ended + going_on) / np.maximum(simulated_s - inside_s, SHORTEST_GAP_S))[:, None]
    lengths_s = np.geomspace(LONG_STAY_S, exposure_s, 200)
    below = np.ones((len(ended), len(lengths_s)))
    for i, length_s in enumerate(lengths_s):
        begun = _begun(begins_per_s, np.full_like(begins_per_s, exposure_s - length_s))
        below[:, i] = (weight * (1.0 - np.exp(-ENDS_PER_S * (length_s - LONG_STAY_S))) ** begun).sum(1)
    median_s = lengths_s[np.minimum((below < 0.5).sum(1), len(lengths_s) - 1)]
    return np.where((ended > 0) | going_on, median_s, 0.0)


def _posterior(ended: np.ndarray, beyond_s: np.ndarray) -> np.ndarray:
    """Weights (rows, rates) of ENDS_PER_S, evenly spread logarithms, after ``ended`` ends in ``beyond_s``."""
    log = (ended[:, None] + PRIOR) * np.log(ENDS_PER_S) - beyond_s[:, None] * ENDS_PER_S
    weight = np.exp(log - log.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def _per_hour(begins_per_s: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """One over the mean time to the first lockup, an hour (rows, rates): gaps and shorter stays, then 20 s.

    Every stay that ends before took less than 20 s: the mean of an exponential time cut off there.
    """
    failed = np.maximum(1.0 - lasts, 1e-12)
    cut_s = 1.0 / ENDS_PER_S - (LOCKUP_S - LONG_STAY_S) * lasts / failed + LONG_STAY_S
    with np.errstate(over="ignore", divide="ignore"):
        tries = 1.0 / lasts
        time_s = tries / begins_per_s + (tries - 1.0) * np.maximum(cut_s, LONG_STAY_S) + LOCKUP_S
    return 3600.0 / time_s


def _begun(begins_per_s: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Expected stays begun within ``time_s`` (rows, 1) of a start between stays: (rows, rates)."""
    both = begins_per_s + ENDS_PER_S
    return begins_per_s * ENDS_PER_S * time_s / both + (begins_per_s / both) ** 2 * -np.expm1(-both * time_s)


def _interval(weight: np.ndarray, per_hour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hazards (rows,) between which the posterior's middle lies; hazards fall as the rate of ends grows."""
    up_to = np.cumsum(weight, axis=1)
    rows = np.arange(len(weight))
    at = [np.minimum((up_to < share).sum(1), weight.shape[1] - 1) for share in INTERVAL]
    low, high = per_hour[rows, at[1]], per_hour[rows, at[0]]
    return np.where(low < NEGLIGIBLE, 0.0, low), high
