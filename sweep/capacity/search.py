"""How far a load may grow: for many lines of rates at once, the largest factor up to which every tested one is safe.

Pure ask and tell; whoever runs the model puts all that is asked into one batch. Factors are powers of 2^(1/8), held
as whole numbers of such steps. First the ladder, every octave; then, where a line turns unsafe between two tested
factors, what lies between them. Regions need not be monotone: a safe factor above an unsafe one counts for nothing,
and a band narrower than the ladder may be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    above an unsafe one, as (from, to).
    """

    safe: float | None
    unsafe: float | None
    most: float
    bands: tuple[tuple[float, float], ...]


class HeadroomSearch:
    """Some lines, each a load that is scaled; ``ladders``: the steps that each of them is tested at first."""

    def __init__(self, ladders: Sequence[Sequence[int]]) -> None:
        self.ladders = ladders
        self.tested: list[dict[int, bool]] = [{} for _ in ladders]

    def ask(self) -> list[tuple[int, int]]:
        """(line, step) of all that is to be tested next, side by side; nothing at the end."""
        return [(line, step) for line in range(len(self.tested)) for step in self._next(line)]

    def tell(self, found: Iterable[tuple[int, int, bool]]) -> None:
        """(line, step, safe) of what was asked."""
        for line, step, safe in found:
            self.tested[line][step] = safe

    def answer(self, line: int) -> Headroom:
        """What was found of a line."""
        safe, unsafe = _bracket(self.tested[line])
        return Headroom(
            None if safe is None else factor(safe),
            None if unsafe is None else factor(unsafe),
            factor(max(self.tested[line])),
            tuple(_bands(self.tested[line])),
        )

    def _next(self, line: int) -> Sequence[int]:
        if not self.tested[line]:
            return self.ladders[line]
        safe, unsafe = _bracket(self.tested[line])
        if safe is None or unsafe is None:
            return []
        return range(safe + 1, unsafe)


def _bracket(tested: dict[int, bool]) -> tuple[int | None, int | None]:
    """The largest safe step below every unsafe one, and the least unsafe one."""
    unsafe = min((step for step, safe in tested.items() if not safe), default=None)
    below = [step for step in tested if unsafe is None or step < unsafe]
    return max(below, default=None), unsafe


def _bands(tested: dict[int, bool]) -> Iterable[tuple[float, float]]:
    """Runs of safe factors above the least unsafe one."""
    _, unsafe = _bracket(tested)
    run: list[int] = []
    for step in [*sorted(step for step in tested if unsafe is not None and step > unsafe), None]:
        if step is not None and tested[step]:
            run.append(step)
        elif run:
            yield factor(run[0]), factor(run[-1])
            run = []
