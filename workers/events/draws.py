"""Which size class each map asks for: the reference machine's own numbers, in blocks, as one call for each would take
longer than a map.

The machine draws a size for each map of the initial fill, then a phase for each active CPU (workers.phases), then a
size for each map in the order of the CPUs' clocks. Here a burst draws its sizes as it begins to map: those of CPUs that
map at the same time are exchanged between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workers import xorshift
from workers.mixes import rounded_pages, size_classes
from workers.schema import parse_iova_pages

STREAMS, EACH = 512, 32
"""A block is so many pieces of the sequence, of so many numbers each, side by side."""


class Draws:
    """The size classes of one scenario's maps (plain values by column name), in order, as many as are asked for."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        sizes, weights = parse_iova_pages(scenario["iova_pages"])
        classes = [pages for pages, _ in size_classes(scenario["iova_pages"])]
        self.one_class = len(classes) == 1
        self.class_of = np.array([classes.index(rounded_pages(size)) for size in sizes], np.uint8)
        self.bounds = np.cumsum(weights)[:-1] if len(set(weights)) > 1 else np.arange(1, len(sizes)) / len(sizes)
        self.state = xorshift.seeded(np.array([scenario["seed"]], np.uint64))
        self.ahead = bytearray()
        """Classes drawn and not taken yet, the next one last."""

    def take(self, number: int) -> bytearray:
        """Size classes of the next ``number`` maps, the first one last."""
        if self.one_class:
            return bytearray(number)
        missing = number - len(self.ahead)
        if missing > 0:
            blocks = [self._block()[::-1] for _ in range(-(-missing // (STREAMS * EACH)))]
            self.ahead = bytearray().join([*reversed(blocks), self.ahead])
        at = len(self.ahead) - number
        taken = self.ahead[at:]
        del self.ahead[at:]
        return taken

    def put_back(self, untaken: bytearray) -> None:
        """Those of the last ones taken that were not needed."""
        if not self.one_class:
            self.ahead += untaken

    def _block(self) -> bytearray:
        if len(self.state) == 1:
            pieces = xorshift.jump(np.repeat(self.state, STREAMS), EACH * np.arange(STREAMS))
        else:
            pieces = xorshift.jump(self.state, np.full(STREAMS, STREAMS * EACH))
        self.state, numbers = pieces, np.empty((EACH, STREAMS))
        for number in numbers:
            pieces = xorshift.step(pieces)
            number[:] = xorshift.uniform(pieces)
        drawn = np.searchsorted(self.bounds, numbers.T.ravel(), side="right")
        return bytearray(self.class_of[drawn].tobytes())
