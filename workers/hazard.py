"""Soft lockups to expect of a load, from the stays in the timer softirq that a run of a few seconds saw.

A soft lockup is a stay of 20 s, rarer than a run is long, so it is inferred. Some loads leave the softirq by chance:
what a stay does next does not depend on how long it has lasted. Others leave it after about the same time whenever they
are in it, or most times soon and a few times very late. So the time that stays last beyond LONG_STAY_S is taken as a
gamma distribution whose shape (SHAPES; one is exponential) and mean both are unknown, and what the ended stays and the
unfinished one make likely of them is summed over. PRIOR and ENOUGH_S are the figures taken from the reference machine
(docs/agreement.md): whether loads that chain at 3 s reach 20 s by 22 s. Stays begin at the rate at which they began in
the time between them, so stays and the time between them form an alternating renewal process, whose expected number of
beginnings is known in closed form where stays are exponential (Cox, Renewal Theory, 1962, chapter 7), and near it where
they are not.
"""

from __future__ import annotations

from math import erfc, lgamma, pi
from typing import Any, NamedTuple

import numpy as np

LOCKUP_S = 20.0
LONG_STAY_S = 0.1
LEAST_BEYOND_S = 0.01
"""Beyond LONG_STAY_S: a stay lasts whole callbacks, so it is not known to less than one."""

PRIOR = 0.15
SHORTEST_GAP_S = 0.05
"""Least time between long stays that a run counts as having seen: a run inside one from its start knows of no gap."""
INTERVAL = (0.05, 0.95)
NEGLIGIBLE = 1e-12

LASTING_S = 1.0
"""Longest stay from which on a run goes on beyond its horizon, to see more of them: to ENOUGH_S, or to MOST_TIMES the
horizon if that is shorter, as who asks for a short run does not want to wait."""
ENOUGH_S, MOST_TIMES = 8.0, 3.0

SHAPES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of the gamma distribution; before a stay is seen, the likelier the nearer to one. Below one, most stays are short and
a few very long."""
MEANS_S = np.logspace(-3, 4, 281)
SHAPE = np.repeat(SHAPES, len(MEANS_S))
MEAN_S = np.tile(MEANS_S, len(SHAPES))
"""What stays may last beyond LONG_STAY_S on average; with SHAPE the support of the posterior, shape (support,)."""

LOG_PRIOR = -PRIOR * np.log(MEAN_S) - np.abs(np.log(SHAPE))
LOG_GAMMA = np.repeat([lgamma(shape) for shape in SHAPES], len(MEANS_S))
LOG_DENSITY = SHAPE * np.log(SHAPE / MEAN_S) - LOG_GAMMA
"""Of the density at a stay, what does not depend on how long that is."""

ROWS_TOGETHER = 500


class Stays(NamedTuple):
    """Stays of LONG_STAY_S and more of one domain; plain numbers, or shapes (rows,)."""

    ended: Any
    """How many ended; ``ended_s``: their time in all; ``log_s``: the sum of their ``log_beyond``."""
    ended_s: Any
    log_s: Any
    unfinished_s: Any
    """The stay that goes on when the run ends, however short, 0 without one."""
    seen_s: Any
    """Virtual time of the run."""


class Hazard(NamedTuple):
    """Shapes (rows,): expected soft lockups an hour with the ends of its 90 % interval, and the probability of one.

    After few stays a small chance of very long ones dominates the mean, which may then exceed the upper quantile: the
    interval's upper end is raised to it.
    """

    per_hour: np.ndarray
    low_per_hour: np.ndarray
    high_per_hour: np.ndarray
    probability: np.ndarray


def seen_until_s(horizon_s: Any) -> Any:
    """Until when stays are seen where one may last."""
    return np.maximum(horizon_s, np.minimum(MOST_TIMES * horizon_s, ENOUGH_S))


def log_beyond(stay_s: Any) -> Any:
    """Logarithm of what a stay lasts beyond LONG_STAY_S, in s."""
    return np.log(np.maximum(stay_s - LONG_STAY_S, LEAST_BEYOND_S))


def hazard(stays: Stays, exposure_s: np.ndarray) -> Hazard:
    """The soft lockups to expect after ``stays`` (rows,); the probability is over ``exposure_s`` (rows,)."""
    out = Hazard(*(np.zeros(len(exposure_s)) for _ in Hazard._fields))
    some = np.flatnonzero(_any(stays))
    for first in range(0, len(some), ROWS_TOGETHER):
        rows = some[first : first + ROWS_TOGETHER]
        found = _hazard(Stays(*(values[rows] for values in stays)), exposure_s[rows, None])
        for values, of_rows in zip(out, found, strict=True):
            values[rows] = of_rows
    return out


def _hazard(stays: Stays, exposure_s: np.ndarray) -> Hazard:
    """Where a long stay was seen; ``exposure_s`` (rows, 1)."""
    begins_per_s, weight = _begins_per_s(stays), _posterior(stays)
    lasts = np.exp(_log_lasts(np.array([LOCKUP_S - LONG_STAY_S])))
    per_hour = _per_hour(begins_per_s, lasts)
    begun = _begun(begins_per_s, np.maximum(exposure_s - LOCKUP_S, 0.0))
    mean, (low, high) = (weight * per_hour).sum(1), _interval(weight, per_hour)
    probability = np.minimum((weight * (1.0 - (1.0 - lasts) ** begun)).sum(1), 1.0)
    return Hazard(mean, np.minimum(low, mean), np.maximum(high, mean), probability)


def longest_stay_s(stays: Stays, exposure_s: float) -> np.ndarray:
    """Median of the longest stay within ``exposure_s``, in s, 0 where none of LONG_STAY_S was seen; shape (rows,)."""
    begins_per_s, weight = _begins_per_s(stays), _posterior(stays)
    lengths_s = np.geomspace(LONG_STAY_S, exposure_s, 200)
    below = np.ones((len(weight), len(lengths_s)))
    for i, length_s in enumerate(lengths_s):
        begun = _begun(begins_per_s, np.full_like(begins_per_s, exposure_s - length_s))
        ends = -np.expm1(_log_lasts(np.array([length_s - LONG_STAY_S])))
        below[:, i] = (weight * ends**begun).sum(1)
    median_s = lengths_s[np.minimum((below < 0.5).sum(1), len(lengths_s) - 1)]
    return np.where(_any(stays), median_s, 0.0)


def _any(stays: Stays) -> np.ndarray:
    return (stays.ended > 0) | (stays.unfinished_s >= LONG_STAY_S)


def _begins_per_s(stays: Stays) -> np.ndarray:
    """Shape (rows, 1): of the time between stays."""
    going_on = stays.unfinished_s >= LONG_STAY_S
    inside_s = stays.ended_s + np.where(going_on, stays.unfinished_s, 0.0)
    return ((stays.ended + going_on) / np.maximum(stays.seen_s - inside_s, SHORTEST_GAP_S))[:, None]


def _posterior(stays: Stays) -> np.ndarray:
    """Weights (rows, support): means spread evenly by their logarithms, and shapes, after the stays seen."""
    ended, log_s = stays.ended[:, None], stays.log_s[:, None]
    beyond_s = (stays.ended_s - stays.ended * LONG_STAY_S)[:, None]
    log = LOG_PRIOR + ended * LOG_DENSITY + (SHAPE - 1.0) * log_s - beyond_s * SHAPE / MEAN_S
    log += _log_lasts(np.maximum(stays.unfinished_s - LONG_STAY_S, 0.0)[:, None])
    weight = np.exp(log - log.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def _log_lasts(time_s: np.ndarray) -> np.ndarray:
    """Logarithm of the chance that a stay lasts ``time_s`` (..., 1) beyond LONG_STAY_S, shape (..., support): of an
    integer shape, that fewer events than that come in the time, by Poisson's distribution."""
    events = SHAPE / MEAN_S * time_s
    term, terms = np.ones_like(events), np.zeros_like(events)
    for n in range(int(max(SHAPES))):
        terms += np.where(n < SHAPE, term, 0.0)
        term = term * events / (n + 1)
    log = np.log(terms) - events
    half = SHAPE == 0.5
    log[..., half] = _log_erfc_of_root(events[..., half])
    return np.minimum(log, 0.0)


def _log_erfc_of_root(x: np.ndarray) -> np.ndarray:
    """log(erfc(sqrt(x))), the same for a shape of one half; from 100 on by its asymptotic series."""
    near = np.minimum(x, 100.0)
    far = np.maximum(x, 100.0)
    log = np.log(np.vectorize(erfc, otypes=[float])(np.sqrt(near)))
    return np.where(x <= 100.0, log, -far - 0.5 * np.log(pi * far) + np.log1p(-0.5 / far))


def _per_hour(begins_per_s: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """One over the mean time to the first lockup, an hour (rows, support): gaps and shorter stays, then 20 s.

    Every stay that ends before took less than 20 s: the mean of a gamma distribution cut off there, which is its mean
    times the share that ends before by the distribution whose shape is one more, over the share by its own.
    """
    failed = np.maximum(1.0 - lasts, 1e-12)
    events = SHAPE / MEAN_S * (LOCKUP_S - LONG_STAY_S)
    longer = lasts + np.exp(SHAPE * np.log(events) - events - LOG_GAMMA) / SHAPE
    cut_s = LONG_STAY_S + np.clip(MEAN_S * (1.0 - longer) / failed, 0.0, LOCKUP_S - LONG_STAY_S)
    with np.errstate(over="ignore", divide="ignore"):
        tries = 1.0 / lasts
        time_s = tries / begins_per_s + (tries - 1.0) * cut_s + LOCKUP_S
    return 3600.0 / time_s


def _begun(begins_per_s: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Expected stays begun within ``time_s`` (rows, 1) of a start between stays: (rows, support)."""
    ends_per_s = 1.0 / (LONG_STAY_S + MEAN_S)
    both = begins_per_s + ends_per_s
    return begins_per_s * ends_per_s * time_s / both + (begins_per_s / both) ** 2 * -np.expm1(-both * time_s)


def _interval(weight: np.ndarray, per_hour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hazards (rows,) between which the posterior's middle lies."""
    order = np.argsort(per_hour, axis=1)
    ordered, up_to = np.take_along_axis(per_hour, order, 1), np.cumsum(np.take_along_axis(weight, order, 1), axis=1)
    rows, last = np.arange(len(weight)), weight.shape[1] - 1
    low, high = (ordered[rows, np.minimum((up_to < share).sum(1), last)] for share in INTERVAL)
    return np.where(low < NEGLIGIBLE, 0.0, low), high
