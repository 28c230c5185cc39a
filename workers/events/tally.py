"""What a machine counted up to a moment, and the row of it that ``workers.results.finish`` wants."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from workers import rest
from workers.results import CPU_MAGAZINES, softirq_columns

if TYPE_CHECKING:
    from workers.events.machine import Machine

STEADY = ("ops", "flushes", "drained_locally", "drained_by_timer")
"""What goes on at its rate where a load is at rest."""

RECORDS = (
    *("acquisitions", "wait_ns", "held_ns", "inserts", "walk_steps"),
    *("depot_peak", "bin_peak", "structs", "structs_peak", "cached_pages_peak"),
)
"""What grows with the logarithm of time there (workers.rest)."""


class Tally(NamedTuple):
    """Counters as the machine's, times in ns. ``callbacks_ns``: durations of the finished ones."""

    now_ns: float
    simulated_ns: float
    callbacks_ns: list[float]
    callback_ns: float
    """How long the callback that goes on has lasted, 0 without one; ``stay_ns``: the stay in the softirq."""
    stay_ns: float
    stay_max_ns: float
    long_stays: int
    long_stays_ns: float
    irqs_off_max_ns: float
    acquisitions: int
    wait_ns: float
    wait_max_ns: float
    held_ns: float
    erases: int
    inserts: int
    walk_steps: int
    ops: int
    flushes: int
    drained_locally: int
    drained_by_timer: int
    depot_magazines: int
    depot_peak: int
    bin_peak: int
    """Magazines of the fullest bin."""
    structs: int
    structs_peak: int
    above_4g: bool
    """Whether an IOVA lies there."""
    cached_pages_peak: int

    @property
    def seen(self) -> rest.Seen:
        return rest.Seen(
            self.now_ns, len(self.callbacks_ns), sum(self.callbacks_ns), self.depot_peak, self.structs_peak
        )


def tally(m: Machine, now: float) -> Tally:
    """At ``now``, the lowest clock."""
    tree = m.tree
    return Tally(
        now_ns=now,
        simulated_ns=now,
        callbacks_ns=[duration for _, duration in m.callbacks],
        callback_ns=0.0 if m.callback_since_ns is None else now - m.callback_since_ns,
        stay_ns=0.0 if m.softirq_since_ns is None else now - m.softirq_since_ns,
        stay_max_ns=m.stay_max_ns,
        long_stays=m.long_stays,
        long_stays_ns=m.long_stays_ns,
        irqs_off_max_ns=m.irqs_off_max_ns,
        acquisitions=m.acquisitions,
        wait_ns=m.wait_ns,
        wait_max_ns=m.wait_max_ns,
        held_ns=m.held_ns,
        erases=tree.erases,
        inserts=tree.inserts,
        walk_steps=tree.walk_steps,
        ops=m.ops,
        flushes=m.flushes,
        drained_locally=m.drained_locally,
        drained_by_timer=m.drained_by_timer,
        depot_magazines=m.depot_magazines,
        depot_peak=m.depot_peak,
        bin_peak=max(rcache.peak for rcache in m.rcaches),
        structs=m.structs,
        structs_peak=m.structs_peak,
        above_4g=tree.high.lowest != tree.anchor,
        cached_pages_peak=m.cached_pages_peak,
    )


def carried_on(half: Tally, now: Tally, horizon_ns: float) -> Tally:
    """The tally at the horizon of a load that is at rest: its callbacks are those since ``half`` again and again."""
    times = (horizon_ns - now.now_ns) / (now.now_ns - half.now_ns)
    doublings = rest.doublings(half.now_ns, now.now_ns, horizon_ns)
    grown: dict[str, Any] = {}
    for names, ahead in ((STEADY, times), (RECORDS, doublings)):
        for name in names:
            count = getattr(now, name)
            more = ahead * (count - getattr(half, name))
            grown[name] = count + (round(more) if isinstance(count, int) else more)
    lately_ns = now.callbacks_ns[len(half.callbacks_ns) :]
    again_ns = islice(cycle(lately_ns), round(times * len(lately_ns)))
    grown |= {"callbacks_ns": [*now.callbacks_ns, *again_ns], "callback_ns": 0.0, "stay_ns": 0.0}
    return now._replace(now_ns=horizon_ns, **grown)


def counters(t: Tally, cpus: int, trim_threshold: float) -> dict[str, Any]:
    """The counters of kernel.md, section 6. ``trim_threshold``: magazines a bin keeps, of the policy this is asked for,
    which need not be the machine's own."""
    return softirq_columns(t.callbacks_ns, t.callback_ns, t.stay_max_ns, t.stay_ns) | {
        "long_stays": t.long_stays,
        "long_stays_ms": t.long_stays_ns / 1e6,
        "simulated_ms": t.simulated_ns / 1e6,
        "irqs_off_max_ms": t.irqs_off_max_ns / 1e6,
        "rbtree_lock_held_fraction": min(t.held_ns / t.now_ns, 1.0),
        "rbtree_lock_acquisitions": t.acquisitions,
        "rbtree_lock_wait_mean_us": t.wait_ns / max(t.acquisitions, 1) / 1e3,
        "rbtree_lock_wait_max_us": t.wait_max_ns / 1e3,
        "rbtree_erases": t.erases,
        "rbtree_inserts": t.inserts,
        "rbtree_walk_steps": t.walk_steps,
        "ops_completed": t.ops,
        "map_failures": 0,
        "iovas_drained_by_timer": t.drained_by_timer,
        "iovas_drained_locally": t.drained_locally,
        "iotlb_flushes": t.flushes,
        "magazines_peak": CPU_MAGAZINES * cpus + t.depot_peak,
        "depot_magazines_peak": t.depot_peak,
        "depot_magazines_end": t.depot_magazines,
        "depot_surplus_largest_bin": max(t.bin_peak - trim_threshold, 0),
        "iova_nodes_peak": t.structs_peak,
        "iova_nodes_end": t.structs,
        "iova_space_cached_peak_pages": t.cached_pages_peak,
    }
