"""IOVAs of one side of 4 GiB where all have one size: slots from the limit down, a byte each, that are in use or not.

A search takes the highest gap, so whatever is mapped and unmapped, IOVAs stay at multiples of their alignment below the
limit. Answers are those of ``workers.events.side.Side``, which takes any sizes.
"""

from __future__ import annotations

from array import array

import numpy as np

from workers.events.iova import CLASS_BITS

MORE_SLOTS = 4096


class Slots:
    """IOVAs of ``size`` pages below pfn ``limit``; ``top`` stands for what begins at the limit."""

    def __init__(self, size: int, limit: int) -> None:
        self.limit = limit
        self.shift = (size - 1).bit_length()
        self.top = self.lowest = limit << CLASS_BITS
        """``lowest``: the lowest IOVA, the top if there is none."""
        self.used = bytearray(MORE_SLOTS)
        """Slots from the top down; there is always one behind the last one in use."""

    def take(self, start: int, size_class: int, floor: int) -> tuple[int | None, int, int]:
        """See ``Side.take``; the only ``size_class`` is 0."""
        limit, shift, used = self.limit, self.shift, self.used
        first = limit - (start >> CLASS_BITS) >> shift
        at = used.find(0, first)
        end = limit - floor >> shift
        if at >= end:
            return None, start, max(end - first, 0) + 1
        used[at] = 1
        if at + 1 == len(used):
            used += bytes(MORE_SLOTS)
        new = limit - (at + 1 << shift) << CLASS_BITS
        if new < self.lowest:
            self.lowest = new
        return new, new + (1 << shift + CLASS_BITS), at - first + 1

    def extend(self, size_classes: bytearray, floor: int) -> array[int]:
        """See ``Side.extend``; the only size class is 0."""
        limit, shift = self.limit, self.shift
        first = limit - (self.lowest >> CLASS_BITS) >> shift
        last = min(first + len(size_classes), limit - floor >> shift)
        if last <= first:
            return array("q")
        self.used[first:last] = b"\1" * (last - first)
        self.used += bytes(max(last + 1 - len(self.used), 0))
        new = limit - (np.arange(first + 1, last + 1) << shift) << CLASS_BITS
        self.lowest = int(new[-1])
        return array("q", new.astype(np.int64).tobytes())

    def remove(self, iova: int) -> int:
        """Takes ``iova`` out; the one above it."""
        limit, shift = self.limit, self.shift
        at = (limit - (iova >> CLASS_BITS) >> shift) - 1
        self.used[at] = 0
        above = limit - (self.used.rfind(1, 0, at) + 1 << shift) << CLASS_BITS
        if iova == self.lowest:
            self.lowest = above
        return above

    def rank(self, iova: int) -> int:
        """How many IOVAs are below it."""
        return self.used.count(1, self.limit - (iova >> CLASS_BITS) >> self.shift)
