"""What a machine counted since its clocks began, and levels as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.hazard import LONG_STAY_S, log_beyond


@dataclass(slots=True)
class Counters:
    """Times in ns; the result columns (docs/columns.md) under other names."""

    ops: int = 0
    flushes: int = 0
    drained_locally: int = 0
    drained_by_timer: int = 0
    callbacks_ns: list[float] = field(default_factory=list)
    """Durations of the finished ones."""
    stay_max_ns: float = 0.0
    long_stays: int = 0
    """Stays of ``hazard.LONG_STAY_S`` and more that ended, their time and the sum of their ``hazard.log_beyond``."""
    long_stays_ns: float = 0.0
    long_stays_log_s: float = 0.0
    irqs_off_max_ns: float = 0.0
    acquisitions: int = 0
    """Of iova_rbtree_lock, as the next three."""
    wait_ns: float = 0.0
    wait_max_ns: float = 0.0
    held_ns: float = 0.0
    inserts: int = 0
    erases: int = 0
    walk_steps: int = 0
    nodes: int = 0
    """IOVAs in the tree, now."""
    nodes_peak: int = 0
    """Most struct iova at once: a search holds one before it finds a place."""
    depot_magazines: int = 0
    """In all depots, now."""
    depot_peak: int = 0
    bin_peak: int = 0
    """Magazines of the fullest depot."""
    cached_pages: int = 0
    """Address space in magazines, now."""
    cached_pages_peak: int = 0

    def stay_ended(self, stay_ns: float) -> None:
        """A stay in the timer softirq ended after ``stay_ns``."""
        if stay_ns >= LONG_STAY_S * 1e9:
            self.long_stays += 1
            self.long_stays_ns += stay_ns
            self.long_stays_log_s += float(log_beyond(stay_ns / 1e9))

    def irqs_were_off(self, span_ns: float) -> None:
        """Interrupts were off for ``span_ns`` on some CPU."""
        if span_ns > self.irqs_off_max_ns:
            self.irqs_off_max_ns = span_ns
