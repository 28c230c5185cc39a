"""What a trace says, block by block.

Memory does not grow with it, apart from the IOVAs in flight and those mapped before it began (8 bytes each).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from sweep.workload.gaps import Gaps
from sweep.workload.live import Live
from sweep.workload.trace import Events, Seen, blocks
from workers.results import PAGE_BYTES

MOST_CPUS = 10_000


class Measured:
    """Counts of a trace. Arrays are by CPU number, shape (MOST_CPUS,); times in ns.

    ``sizes``: 4-KiB pages of an IOVA -> unmaps; ``odd``: unmaps of no whole number of pages.
    """

    def __init__(self) -> None:
        self.seen = Seen()
        self.live = Live()
        self.gaps = Gaps()
        self.sizes: Counter[int] = Counter()
        self.odd = 0
        self.first_ns = self.last_ns = -1
        self.maps, self.unmaps = (np.zeros(MOST_CPUS, dtype=np.int64) for _ in range(2))
        self.first_unmap_ns, self.last_unmap_ns = (np.full(MOST_CPUS, -1, dtype=np.int64) for _ in range(2))

    @property
    def span_ns(self) -> int:
        """From the first event to the last."""
        return self.last_ns - self.first_ns

    def add(self, events: Events) -> None:
        """Takes the next block."""
        if not len(events.time_ns):
            return
        if self.first_ns < 0:
            self.first_ns = int(events.time_ns[0])
        self.last_ns = max(self.last_ns, int(events.time_ns[-1]))
        self.maps += np.bincount(events.cpu[~events.unmap], minlength=MOST_CPUS)
        self._unmaps(events.time_ns[events.unmap], events.cpu[events.unmap], events.size_bytes[events.unmap])
        self.live.add(events)

    def _unmaps(self, time_ns: np.ndarray, cpu: np.ndarray, size_bytes: np.ndarray) -> None:
        pages, counts = np.unique(-(-size_bytes // PAGE_BYTES), return_counts=True)
        self.sizes.update(dict(zip(pages.tolist(), counts.tolist(), strict=True)))
        self.odd += int((size_bytes % PAGE_BYTES != 0).sum())
        self.unmaps += np.bincount(cpu, minlength=MOST_CPUS)
        order = np.argsort(cpu, kind="stable")  # by time within each CPU
        by_cpu, time_ns = cpu[order], time_ns[order]
        first = np.r_[True, by_cpu[1:] != by_cpu[:-1]] if len(by_cpu) else np.zeros(0, dtype=bool)
        before = np.r_[0, time_ns[:-1]] if len(time_ns) else time_ns
        before = np.where(first, self.last_unmap_ns[by_cpu], before)
        self.gaps.add(np.maximum(time_ns - before, 0)[before >= 0].astype(float))
        new = first & (before < 0)
        self.first_unmap_ns[by_cpu[new]] = time_ns[new]
        self.last_unmap_ns[by_cpu] = time_ns  # of equal indices the last one counts


def measure(path: str) -> Measured:
    """Reads a whole trace; raises ScenarioError as ``sweep.workload.trace.blocks`` does."""
    found = Measured()
    for events in blocks(path, found.seen):
        found.add(events)
    return found
