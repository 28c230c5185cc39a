"""What a machine counted since its clocks began, and levels as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """Stays of ``hazard.LONG_STAY_S`` and more that ended."""
    long_stays_ns: float = 0.0
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

    def irqs_were_off(self, span_ns: float) -> None:
        """Interrupts were off for ``span_ns`` on some CPU."""
        if span_ns > self.irqs_off_max_ns:
            self.irqs_off_max_ns = span_ns
