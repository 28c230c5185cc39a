"""Which size class each map asks for, drawn by the block: one call for each map would take longer than the map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workers import noise
from workers.mixes import size_classes
from workers.noise import Stream

BLOCK = 1 << 14


class Draws:
    """Of one scenario (plain values by column name): without end, and the same however many are taken at a time."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self.seed = np.array([scenario["seed"]], np.uint64)
        weights = [weight for _, weight in size_classes(scenario["iova_pages"])]
        self.below = np.cumsum(weights)[:-1] / sum(weights)
        """Share of the maps that are of each class, but the last, or of a smaller one."""
        self.drawn = 0
        self.ahead = bytearray()

    def take(self, number: int) -> bytearray:
        """Size classes of the next ``number`` maps, the first one last."""
        if not len(self.below):
            return bytearray(number)
        while len(self.ahead) < number:
            self.ahead = self._block() + self.ahead
        at = len(self.ahead) - number
        taken = self.ahead[at:]
        del self.ahead[at:]
        return taken

    def _block(self) -> bytearray:
        counters = np.arange(self.drawn, self.drawn + BLOCK)
        self.drawn += BLOCK
        shares = noise.uniform(noise.key(self.seed, counters, Stream.SIZES))
        return bytearray(np.searchsorted(self.below, shares, side="right").astype(np.uint8).tobytes())
