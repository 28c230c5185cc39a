"""How far a load may grow: for many lines of rates at once, the largest factor up to which every tested one is safe.

Pure ask and tell; whoever runs the model puts all that is asked into one batch. Factors are powers of 2^(1/8), held
as whole numbers of such steps. First the ladder, every octave; then, where a line turns unsafe between two tested
factors, what lies between them. Regions need not be monotone: a safe factor above an unsafe one counts for nothing,
and a band narrower than the ladder may be missed. A factor whose run failed is neither: it ends what is known safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

STEPS_PER_OCTAVE = 8
TOLERANCE = 2 ** (1 / STEPS_PER_OCTAVE) - 1
"""By how much the smallest unsafe factor may lie above the largest safe one: 9 %."""

LADDER = tuple(range(-3 * STEPS_PER_OCTAVE, 4 * STEPS_PER_OCTAVE + 1, STEPS_PER_OCTAVE))
"""From an eighth to sixteen times the load, in octaves; among them the load itself, step 0."""

WIDTH = STEPS_PER_OCTAVE - 1
"""Most factors that one line asks for between two tested ones: the whole octave, as batches are cheap when wide."""


def factor(step: int) -> float:
    """The factor that a number of steps stands for."""
    return 2.0 ** (step / STEPS_PER_OCTAVE)


@dataclass(frozen=True)
class Headroom:
    """``safe``: the largest factor tested such that every one at or below it is safe, None where not even the least is.

    ``unsafe``: the least unsafe one, None where none was found; ``most``: the largest tested; ``bands``: safe factors
    above an unsafe one, as (from, to); ``failed``: the least whose run failed, where that is below every unsafe one.
    """

    safe: float | None
    unsafe: float | None
    most: float
    bands: tuple[tuple[float, float], ...]
    failed: float | None = None


class HeadroomSearch:
    """Some lines, each a load that is scaled; ``ladders``: the steps that each of them is tested at first."""

    def __init__(self, ladders: Sequence[Sequence[int]]) -> None:
        self.ladders = ladders
        self.tested: list[dict[int, bool | None]] = [{} for _ in ladders]

    def ask(self) -> list[tuple[int, int]]:
        """(line, step) of all that is to be tested next, side by side; nothing at the end."""
        return [(line, step) for line in range(len(self.tested)) for step in self._next(line)]

    def tell(self, found: Iterable[tuple[int, int, bool | None]]) -> None:
        """(line, step, safe) of what was asked; None where the run failed."""
        for line, step, safe in found:
            self.tested[line][step] = safe

    def answer(self, line: int) -> Headroom:
        """What was found of a line."""
        tested = self.tested[line]
        safe, end = _bracket(tested)
        unsafe = _unsafe(tested)
        return Headroom(
            None if safe is None else factor(safe),
            None if unsafe is None else factor(unsafe),
            factor(max(tested)),
            tuple(_bands(tested)),
            None if end is None or end == unsafe else factor(end),
        )

    def _next(self, line: int) -> Sequence[int]:
        if not self.tested[line]:
            return self.ladders[line]
        safe, end = _bracket(self.tested[line])
        if safe is None or end is None:
            return []
        return range(safe + 1, end)


def _bracket(tested: Mapping[int, bool | None]) -> tuple[int | None, int | None]:
    """The largest safe step below every other, and the least of these: unsafe, or its run failed."""
    end = min((step for step, safe in tested.items() if not safe), default=None)
    below = [step for step in tested if end is None or step < end]
    return max(below, default=None), end


def _unsafe(tested: Mapping[int, bool | None]) -> int | None:
    """The least unsafe step."""
    return min((step for step, safe in tested.items() if safe is False), default=None)


def _bands(tested: Mapping[int, bool | None]) -> Iterable[tuple[float, float]]:
    """Runs of safe factors above the least unsafe one."""
    unsafe = _unsafe(tested)
    run: list[int] = []
    for step in [*sorted(step for step in tested if unsafe is not None and step > unsafe), None]:
        if step is not None and tested[step]:
            run.append(step)
        elif run:
            yield factor(run[0]), factor(run[-1])
            run = []
