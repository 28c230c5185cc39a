"""One scenario's time series: what the timer, the depot, the rings, the lock and the tree do, slice by slice."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers import run
from workers.params import Params
from workers.schema import Columns
from workers.state import State

SERIES = (
    "time_ms",
    "in_callback",
    "callback_ms",
    "residency_ms",
    "depot_magazines",
    "queued_iovas",
    "rbtree_lock_held_fraction",
    "iova_nodes",
)
"""Columns: the end of the slice; whether fq_flush_timeout() ran in it, how long the callback and the stay in the
softirq lasted until then (0 without one); magazines in all depots; ring entries of all CPUs; share of the slice that
iova_rbtree_lock was held for (above 1 where a hold began in it that outlasts it); struct iovas."""


def time_series(scenario: Columns) -> Columns:
    """SERIES of one scenario, arrays of shape (samples,), one sample a slice of the model.

    ``scenario``: scenario and depot columns, shapes (1,). It runs as ``workers.task.simulate`` runs it.
    """
    samples: list[tuple[float, ...]] = []
    last: dict[str, Any] = {"now_ns": 0.0, "held_ns": 0.0, "ended": 0}

    def sample(s: State, p: Params) -> None:
        now_ns, held_ns = float(s.lane_now_ns[0]), float(s.count["held_ns"][0])
        ended_ns = max((float(ns[0]) for _, ns, _ in s.callbacks[last["ended"] :]), default=0.0)
        inside = bool(s.lane_in_callback[0]) or ended_ns > 0
        age_ns = s.lane_in_callback[0] * (now_ns - float(s.lane_callback_start_ns[0]))
        passed_ns = now_ns - last["now_ns"]
        samples.append(
            (
                now_ns / 1e6,
                inside,
                max(age_ns, ended_ns) / 1e6,
                inside * (now_ns - float(s.lane_softirq_start_ns[0])) / 1e6,
                float(s.lane_depot[:, 0].sum()),
                float(s.row_ring_old.sum() + s.row_ring_new.sum()),
                (held_ns - last["held_ns"]) / passed_ns if passed_ns > 0 else 0.0,
                float(s.lane_nodes[:, 0].sum()),
            )
        )
        last.update(now_ns=now_ns, held_ns=held_ns, ended=len(s.callbacks))

    run.run(scenario, sample)
    kinds = {"in_callback": bool, "depot_magazines": np.int64, "queued_iovas": np.int64, "iova_nodes": np.int64}
    return {name: np.array([row[i] for row in samples], kinds.get(name, float)) for i, name in enumerate(SERIES)}
