"""Which sizes are mapped: draws from a mix."""

from __future__ import annotations

from random import Random

from workers.events.domain import Domain


class Sizes:
    """Of the size classes of a domain; ``seed`` decides the draws."""

    def __init__(self, domain: Domain, seed: int) -> None:
        self.random, self.domain = Random(seed), domain

    def draw(self, number: int) -> list[int]:
        """Size classes of ``number`` maps, the first one last."""
        d = self.domain
        return self.random.choices(d.classes, d.weights, k=number)[::-1] if d.mixed else [0] * number
