"""What a machine counted up to a moment, and the row of it that ``workers.results.finish`` wants."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from workers import growth, pace
from workers.events.counters import Counters
from workers.hazard import Stays
from workers.results import CPU_MAGAZINES, softirq_columns

if TYPE_CHECKING:
    from workers.events.machine import Machine

GROWING = tuple(c.name for c in fields(Counters) if c.name in (*growth.SUMS, *growth.PEAKS, "nodes"))
"""Counters that a load adds to as long as it runs."""


class Tally(NamedTuple):
    """At ``now_ns``; times in ns."""

    now_ns: float
    counted: Counters
    callback_ns: float
    """How long the callback that goes on has lasted, 0 without one; ``stay_ns``: the stay in the softirq."""
    stay_ns: float
    stays: Stays
    """Of all the time that was simulated, which may be less than ``now_ns``, or more."""

    @property
    def figures(self) -> dict[str, float]:
        """Of GROWING, of the finished callbacks, and when."""
        callbacks_ns = self.counted.callbacks_ns
        done = {"now_ns": self.now_ns, "callbacks": len(callbacks_ns), "callback_ns": sum(callbacks_ns)}
        return {name: getattr(self.counted, name) for name in GROWING} | done

    @property
    def seen(self) -> pace.Seen:
        return pace.seen(self.figures)


def tally(m: Machine, now: float) -> Tally:
    """At ``now``, the lowest clock."""
    c, callback_since_ns, softirq_since_ns = m.counted, m.queue.callback_since_ns, m.queue.softirq_since_ns
    stay_ns = 0.0 if softirq_since_ns is None else now - softirq_since_ns
    return Tally(
        now_ns=now,
        counted=replace(c, callbacks_ns=list(c.callbacks_ns)),
        callback_ns=0.0 if callback_since_ns is None else now - callback_since_ns,
        stay_ns=stay_ns,
        stays=Stays(c.long_stays, c.long_stays_ns / 1e9, c.long_stays_log_s, max(stay_ns, 0.0) / 1e9, now / 1e9),
    )


def carried_on(quarter: Tally, half: Tally, now: Tally, horizon_ns: float) -> Tally:
    """The tally at the horizon of a load that keeps its pace, seen at three moments: its callbacks are those since
    ``half`` again and again."""
    before, since, lately = (t.figures for t in (quarter, half, now))
    grown: dict[str, Any] = {}
    ahead = growth.ahead(before, since, lately, horizon_ns)
    for name in GROWING:
        count, more = getattr(now.counted, name), float(ahead[name])
        grown[name] = count + (round(more) if isinstance(count, int) else more)
    callbacks_ns = now.counted.callbacks_ns
    lately_ns = callbacks_ns[len(half.counted.callbacks_ns) :]
    times = growth.times(half.now_ns, now.now_ns, horizon_ns)
    again_ns = islice(cycle(lately_ns), round(times * len(lately_ns)))
    counted = replace(now.counted, **grown, callbacks_ns=[*callbacks_ns, *again_ns])
    return now._replace(now_ns=horizon_ns, counted=counted, callback_ns=0.0, stay_ns=0.0)


def columns(t: Tally, cpus: int, trim_threshold: float) -> dict[str, Any]:
    """What ``workers.results.finish`` needs. ``trim_threshold``: magazines a bin keeps, by the policy that is
    asked for, which need not be the machine's own."""
    c, stays = t.counted, t.stays
    return softirq_columns(c.callbacks_ns, t.callback_ns, c.stay_max_ns, t.stay_ns) | {
        "long_stays": stays.ended,
        "long_stays_ms": 1e3 * stays.ended_s,
        "long_stays_log_s": stays.log_s,
        "last_stay_ms": 1e3 * stays.unfinished_s,
        "simulated_ms": 1e3 * stays.seen_s,
        "irqs_off_max_ms": c.irqs_off_max_ns / 1e6,
        "rbtree_lock_held_fraction": min(c.held_ns / t.now_ns, 1.0),
        "rbtree_lock_acquisitions": c.acquisitions,
        "rbtree_lock_wait_mean_us": c.wait_ns / max(c.acquisitions, 1) / 1e3,
        "rbtree_lock_wait_max_us": c.wait_max_ns / 1e3,
        "rbtree_erases": c.erases,
        "rbtree_inserts": c.inserts,
        "rbtree_walk_steps": c.walk_steps,
        "ops_completed": c.ops,
        "map_failures": 0,
        "iovas_drained_by_timer": c.drained_by_timer,
        "iovas_drained_locally": c.drained_locally,
        "iotlb_flushes": c.flushes,
        "magazines_peak": CPU_MAGAZINES * cpus + c.depot_peak,
        "depot_magazines_peak": c.depot_peak,
        "depot_magazines_end": c.depot_magazines,
        "depot_surplus_largest_bin": max(c.bin_peak - trim_threshold, 0),
        "iova_nodes_peak": c.nodes_peak,
        "iova_nodes_end": c.nodes,
        "iova_space_cached_peak_pages": c.cached_pages_peak,
    }
