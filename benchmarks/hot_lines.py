"""Which lines of the model take the CPU's time: a sampling profile by a timer signal."""

from __future__ import annotations

import linecache
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import workers

PACKAGE = str(Path(workers.__file__).parent)
EVERY_S = 0.01  # of CPU time; the kernel's ticks may make it a little more


def begun(frame: FrameType) -> bool:
    """Whether a function is past its first line: a signal seen there is the caller's time, as is one at a step of the
    interpreter's own, which has no line."""
    return frame.f_lineno not in (None, frame.f_code.co_firstlineno)


@contextmanager
def sampled() -> Iterator[Counter[tuple[str, int]]]:
    """Counts samples of the body by (file, line): the innermost frame within workers/, ("", 0) where there is none.

    For the main thread. Python looks for signals at calls, so time in an operator of numpy counts for the next call of
    its function: often in the same line, sometimes below.
    """
    found: Counter[tuple[str, int]] = Counter()

    def take(_: int, frame: FrameType | None) -> None:
        while frame and not (frame.f_code.co_filename.startswith(PACKAGE) and begun(frame)):
            frame = frame.f_back
        found[(frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)] += 1

    before = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def hottest(found: Counter[tuple[str, int]], most: int) -> list[str]:
    """The ``most`` lines with the most samples: share, place, text."""
    total = max(found.total(), 1)
    inside = [(place, number) for place, number in found.most_common() if place[0]]
    told = []
    for (file, line), number in inside[:most]:
        where = f"{Path(file).relative_to(PACKAGE)}:{line}"
        told.append(f"{100 * number / total:5.1f} %  {where:20s} {linecache.getline(file, line).strip()}")
    return told
