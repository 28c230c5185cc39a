"""From which rate on a line of scenarios is unsafe, between the rates that were run where it can be told."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

AT: Literal["at"] = "at"
ABOVE: Literal["above"] = "above"
BELOW: Literal["below"] = "below"
DIGITS = 4
"""Kept of a rate: far finer than any tolerance, and short enough to be read in a file."""


@dataclass(frozen=True)
class Boundary:
    """The rate from which on a line is unsafe, in unmaps/s per active CPU.

    ``side``: ``at`` it, between two rates that were run; ``above`` it, as no unsafe cell was found up to it; at it or
    ``below``, as the lowest rate that was run is unsafe already.
    """

    side: Literal["at", "above", "below"]
    rate_per_s: float

    @classmethod
    def read(cls, said: str | float) -> Boundary:
        """From what ``written`` gave; raises ValueError."""
        sign, rate = "", said
        if isinstance(said, str):
            matched = re.fullmatch(r"(>|<=)(\d[\d.e+]*)", said)
            sign, rate = matched.groups() if matched else ("", 0.0)
        if not 0 < float(rate) < math.inf:
            raise ValueError(f"{said!r} is no rate")
        return cls(ABOVE if sign == ">" else BELOW if sign else AT, float(rate))

    @property
    def written(self) -> str | float:
        """As it stands in a file: a number, ``>30000`` or ``<=3000``."""
        rate = plain(self.rate_per_s)
        return rate if self.side == AT else f"{'>' if self.side == ABOVE else '<='}{rate}"

    @property
    def from_per_s(self) -> float:
        """The lowest rate that may be unsafe: 0 or infinite where it was not found."""
        return {AT: self.rate_per_s, ABOVE: math.inf, BELOW: 0.0}[self.side]

    def moved(self, was: Boundary, tolerance: float) -> bool:
        """Whether it is another one: on another side, or away by more than the share ``tolerance`` of the rate.

        A censored line moves only with its verdicts, and a rate that nobody ran is no shift.
        """
        if self.side != was.side:
            return True
        return self.side == AT and abs(math.log(self.rate_per_s / was.rate_per_s)) > math.log1p(tolerance)

    def worse_than(self, was: Boundary) -> bool:
        """Whether less is safe than before; of two that ``moved``."""
        return self.from_per_s < was.from_per_s


def boundary(rates_per_s: Sequence[float], figures: Sequence[float], unsafe: Sequence[bool], limit: float) -> Boundary:
    """Where a line becomes unsafe; sequences of shape (rates,), at least one rate, in the order of the rates.

    ``figures``: what the verdict follows, unsafe from ``limit`` on. Between the last safe cell and the first unsafe one
    the figure is taken as linear in the logarithm of the rate; the boundary is where it reaches the limit, so that a
    small drift of either figure shows. What lies above, safe again or not, does not count.
    """
    first = next((i for i, bad in enumerate(unsafe) if bad), None)
    if first is None:
        return Boundary(ABOVE, _rounded(rates_per_s[-1]))
    if first == 0:
        return Boundary(BELOW, _rounded(rates_per_s[0]))
    low, high = figures[first - 1], figures[first]
    share = min(max((limit - low) / (high - low), 0.0), 1.0) if high > low else 1.0  # a verdict may follow more
    slope = math.log(rates_per_s[first] / rates_per_s[first - 1])
    return Boundary(AT, _rounded(rates_per_s[first - 1] * math.exp(share * slope)))


def plain(rate_per_s: float) -> float | int:
    """Without the ``.0`` of a whole number."""
    return int(rate_per_s) if rate_per_s.is_integer() else rate_per_s


def _rounded(rate_per_s: float) -> float:
    return float(f"{rate_per_s:.{DIGITS}g}")
