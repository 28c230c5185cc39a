"""Which sizes are mapped: draws from a mix."""

from __future__ import annotations

from random import Random

from workers.params import size_classes


class Sizes:
    """Of an ``iova_pages`` text; ``seed`` decides the draws."""

    def __init__(self, iova_pages: str, seed: int) -> None:
        self.random = Random(seed)
        self.weights = [weight for _, weight in size_classes(iova_pages)]

    def draw(self, number: int) -> list[int]:
        """Size classes of ``number`` maps, the first one last."""
        classes = range(len(self.weights))
        return self.random.choices(classes, self.weights, k=number)[::-1] if len(classes) > 1 else [0] * number
