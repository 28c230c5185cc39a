"""Steps of a quantity: nothing, then five steps of a factor up to the most there is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from sweep.aggregate import highest, lowest
from sweep.report.figures.style import LESS, NO_VALUE, NOTHING, STEPS, Style


@dataclass(frozen=True)
class Scale:
    """``tops``: the upper end of each step above nothing."""

    tops: tuple[float, ...]
    unit: str

    @property
    def styles(self) -> tuple[Style, ...]:
        """A style a code of ``codes``: no value, less than nothing, nothing, then the steps."""
        first = len(STEPS) - len(self.tops)
        named = ["for ever" if math.isinf(top) else f"to {top:.3g} {self.unit}" for top in self.tops]
        steps = [Style(label, STEPS[first + i]) for i, label in enumerate(named)]
        return (NO_VALUE, LESS, NOTHING, *steps)

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The place of each value in ``styles``, shape (values,); NaN: none."""
        step = (
            2 + np.searchsorted([0.0, *self.tops[:-1]], values, side="left") if self.tops else np.full(len(values), 2)
        )
        return np.where(np.isnan(values), 0, np.where(values < 0, 1, step))


def scale_of(values: pl.Series, unit: str) -> Scale:
    """The steps that values need: of a factor of two, or of four where they range over more than that shows; the last
    one ends at the first power of two that is not below them. The first holds all that is less."""
    above = values.filter((values > 0) & values.is_finite())
    least, most = lowest(above), highest(above)
    endless = (math.inf,) if values.is_infinite().any() else ()
    if least is None or most is None:
        return Scale(endless, unit)
    top = 2.0 ** math.ceil(math.log2(most) - 1e-9)
    factor = 2.0 if least * 64 >= top else 4.0
    steps = len(STEPS) - 2 - len(endless)
    return Scale((*(top / factor**i for i in range(steps, -1, -1)), *endless), unit)
