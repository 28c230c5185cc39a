"""Bursts of a CPU's unmaps, from how the times between them are distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS_PER_OCTAVE = 4
BINS = 64 * BINS_PER_OCTAVE
CLEAR, VISIBLE = 0.9, 0.8
"""Share of the variance of log gaps that lies between short and long ones: two heaps, or two that touch.

Times that are spread evenly or at random have 0.75 and less.
"""

APART = 2 * BINS_PER_OCTAVE
"""Two heaps whose means differ by less than that, a factor of four, are one: a narrow one may lie across two bins."""


@dataclass(frozen=True)
class Bursts:
    """``limit_ns``: shorter gaps are within a burst; ``clear``: that share; ``short_ns``: the sum of the short gaps.

    Without bursts every gap is a long one.
    """

    limit_ns: float
    clear: float
    long_gaps: int
    short_ns: float


class Gaps:
    """A histogram of the times between two unmaps of a CPU."""

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, dtype=np.int64)
        self.sums_ns = np.zeros(BINS)

    def add(self, gaps_ns: np.ndarray) -> None:
        """Takes some gaps, any order, shape (gaps,)."""
        bins = np.clip((np.log2(np.maximum(gaps_ns, 1.0)) * BINS_PER_OCTAVE).astype(np.int64), 0, BINS - 1)
        self.counts += np.bincount(bins, minlength=BINS)
        self.sums_ns += np.bincount(bins, gaps_ns, minlength=BINS)

    def bursts(self) -> Bursts:
        """The limit that parts short from long gaps best (Otsu's, of the logarithms).

        Gaps count by the root of their number and time: short ones are many, long ones take the time.
        """
        weight = np.sqrt(self.counts * self.sums_ns)
        nothing = Bursts(0.0, 0.0, int(self.counts.sum()), 0.0)
        if not weight.any():
            return nothing
        weight = weight / weight.sum()
        place = np.arange(BINS)
        mean = (weight * place).sum()
        total = (weight * (place - mean) ** 2).sum()
        below, moment = np.cumsum(weight), np.cumsum(weight * place)
        between = (mean * below - moment) ** 2 / np.maximum(below * (1 - below), 1e-12)
        parted = (below > 1e-9) & (below < 1 - 1e-9)
        if not total or not parted.any():
            return nothing
        best = float(between[parted].max())
        clear = best / total
        equal = np.flatnonzero(parted & (between >= best * (1 - 1e-9)))  # all limits in an empty stretch
        last = int(equal[len(equal) // 2])
        low = moment[last] / below[last]
        if clear < VISIBLE or (mean - low) / (1 - below[last]) < APART:  # the high mean less the low one
            return Bursts(0.0, clear, nothing.long_gaps, 0.0)
        limit_ns = 2.0 ** ((last + 1) / BINS_PER_OCTAVE)
        return Bursts(limit_ns, clear, int(self.counts[last + 1 :].sum()), float(self.sums_ns[: last + 1].sum()))
