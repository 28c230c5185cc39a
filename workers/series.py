"""One scenario's time series: what the timer, the depot, the rings, the lock and the tree do, moment by moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workers import delicate
from workers.events import run as events
from workers.schema import Columns
from workers.slices import run, timer
from workers.slices.params import Params
from workers.slices.state import State

TimeSeries = Callable[[Columns], Columns]
"""``time_series``, or what stands in for it: columns of one scenario, shapes (1,), to columns of shape (samples,)."""

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
"""Columns: the moment; whether fq_flush_timeout() ran since the last one, how long the callback and the stay in the
softirq lasted until then (0 without one); magazines in all depots; ring entries of all CPUs; share of the time since
the last moment that iova_rbtree_lock was held for (above 1 where a hold began that outlasts it); struct iovas."""

KINDS = {"in_callback": bool, "depot_magazines": np.int64, "queued_iovas": np.int64, "iova_nodes": np.int64}

EVERY_NS = 1e6
"""Time between two moments of a scenario that is settled event by event."""


class Moment(NamedTuple):
    """What a simulation shows at one moment; times in ns. ``held_ns`` and ``callbacks`` (finished ones' times) grow."""

    now_ns: float
    callback_since_ns: float | None
    softirq_since_ns: float | None
    callbacks: list[float]
    depot_magazines: float
    queued_iovas: float
    held_ns: float
    iova_nodes: float


class Samples:
    """Rows of SERIES from one moment after the other."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []
        self._now_ns = self._held_ns = 0.0
        self._ended = 0

    def add(self, m: Moment) -> None:
        ended_ns = max(m.callbacks[self._ended :], default=0.0)
        age_ns = 0.0 if m.callback_since_ns is None else m.now_ns - m.callback_since_ns
        inside = m.callback_since_ns is not None or ended_ns > 0
        stay_ns = ended_ns if m.softirq_since_ns is None else m.now_ns - m.softirq_since_ns
        callback_ns = max(age_ns, ended_ns)
        passed_ns = m.now_ns - self._now_ns
        self.rows.append(
            (
                m.now_ns / 1e6,
                inside,
                callback_ns / 1e6,
                inside * max(stay_ns, callback_ns) / 1e6,
                m.depot_magazines,
                m.queued_iovas,
                (m.held_ns - self._held_ns) / passed_ns if passed_ns > 0 else 0.0,
                m.iova_nodes,
            )
        )
        self._now_ns, self._held_ns, self._ended = m.now_ns, m.held_ns, len(m.callbacks)

    def columns(self) -> Columns:
        return {name: np.array([row[i] for row in self.rows], KINDS.get(name, float)) for i, name in enumerate(SERIES)}


def time_series(scenario: Columns) -> Columns:
    """SERIES of one scenario, arrays of shape (samples,): one a slice of the model, or one a millisecond of the events.

    ``scenario``: scenario and depot columns, shapes (1,). It runs as ``workers.task.simulate`` runs it, and to its
    horizon: in slices, unless it is delicate (workers.delicate) from the start or is found to be.
    """
    if delicate.followed(scenario)[0]:
        return _of_events(scenario)
    of_slices, near_chain = _of_slices(scenario)
    return _of_events(scenario) if near_chain and delicate.affordable(scenario)[0] else of_slices


def _of_slices(scenario: Columns) -> tuple[Columns, bool]:
    """Also whether it came near a chain."""
    samples, near_chain = Samples(), False

    def sample(s: State, p: Params) -> None:
        nonlocal near_chain
        near_chain |= bool(timer.near_chain(s, p)[0])
        samples.add(
            Moment(
                now_ns=float(s.lane_now_ns[0]),
                callback_since_ns=float(s.lane_callback_start_ns[0]) if s.lane_in_callback[0] else None,
                softirq_since_ns=float(s.lane_softirq_start_ns[0]) if s.lane_in_callback[0] else None,
                callbacks=[float(ns[0]) for _, ns, _ in s.callbacks],
                depot_magazines=float(s.lane_depot[:, 0].sum()),
                queued_iovas=float(s.row_ring_old.sum() + s.row_ring_new.sum()),
                held_ns=float(s.count["held_ns"][0]),
                iova_nodes=float(s.lane_nodes[:, 0].sum()),
            )
        )

    run.run(scenario, sample)
    return samples.columns(), near_chain


def _of_events(scenario: Columns) -> Columns:
    samples, machine = Samples(), events.machine(scenario)

    def sample(now_ns: float) -> float:
        samples.add(
            Moment(
                now_ns=now_ns,
                callback_since_ns=machine.queue.callback_since_ns,
                softirq_since_ns=machine.queue.softirq_since_ns,
                callbacks=machine.counted.callbacks_ns,
                depot_magazines=machine.counted.depot_magazines,
                queued_iovas=sum(len(ring.iovas) for ring in machine.queue.rings),
                held_ns=machine.counted.held_ns,
                iova_nodes=machine.counted.nodes,
            )
        )
        return now_ns + EVERY_NS

    machine.run(sample)
    sample(machine.horizon_ns)
    return samples.columns()
