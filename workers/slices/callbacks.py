"""From the callbacks that finished to their columns: count, mean, quantiles.

A lane found steady (workers.slices.steady) was not simulated to its horizon: what it did since the last look but one
stands for the rest, so those callbacks weigh more.
"""

from __future__ import annotations

import numpy as np

from workers.schema import Columns
from workers.slices.state import Spans

ONE = 2.0**20
"""Weight of a callback that stands for itself; in fixed point, so that a lane's sums do not depend on other lanes."""


def columns(
    finished: Spans, unfinished_ns: np.ndarray, horizon_ns: np.ndarray, simulated_ns: np.ndarray, steady_ns: np.ndarray
) -> Columns:
    """The callback columns of each lane, shapes (lanes,).

    ``finished``: lanes, durations and ends in ns; ``unfinished_ns`` (lanes,): age of the callback running at the
    horizon, 0 if none; ``simulated_ns`` (lanes,): when the simulation ended; ``steady_ns`` (lanes,): since when the
    lane was steady by then, inf where it was not.
    """
    lanes = len(horizon_ns)
    ahead = np.where(np.isfinite(steady_ns), (horizon_ns - simulated_ns) / (simulated_ns - steady_ns), 0.0)
    nobody = (np.full(1, lanes), np.zeros(1), np.zeros(1))  # so that there is a last one to look up
    ids, ns, end_ns = (np.concatenate(parts) for parts in zip(*finished, nobody, strict=True))
    late = end_ns > np.append(steady_ns, np.inf)[ids]
    weight = np.rint((1.0 + np.where(late, np.append(ahead, 0.0)[ids], 0.0)) * ONE)
    order = np.lexsort((ns, ids))
    ids, ns, weight = ids[order], ns[order], weight[order]
    total = np.bincount(ids, weight)[:lanes]
    first, behind = (np.searchsorted(ids, np.arange(lanes), side) for side in ("left", "right"))
    some = behind > first
    up_to = np.concatenate(([0.0], np.cumsum(weight)))

    def quantile_ms(q: float) -> np.ndarray:
        at = np.searchsorted(up_to[1:], up_to[first] + (np.floor(q * total / ONE) + 0.5) * ONE)
        return np.where(some, ns[np.clip(at, first, np.maximum(behind - 1, first))], 0.0) / 1e6

    return {
        "callback_count": np.rint(total / ONE).astype(np.int64),
        "callback_mean_ms": np.bincount(ids, ns * weight)[:lanes] / np.maximum(total, 1.0) / 1e6,
        "callback_p50_ms": quantile_ms(0.5),
        "callback_p99_ms": quantile_ms(0.99),
        "callback_max_ms": np.maximum(np.where(some, ns[behind - 1], 0.0), unfinished_ns) / 1e6,
    }
