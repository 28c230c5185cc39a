"""How far a sweep is: one line that changes on a terminal, plain lines now and then in a log, none when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

TERMINAL_S, PLAIN_S = 0.2, 10.0
"""Least time between two reports."""


class Progress:
    """Counts scenarios and says so on ``stream``, or nowhere if that is None; ``clock`` gives seconds.

    ``reused``: of those done, how many needed no run. The time left counts estimated seconds, where there are any, not
    scenarios: dear ones come first.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.total = self.done = self.reused = self.failed = self.lockups = 0
        self.foreseen = 0
        self.foreseen_s = self.spent_s = 0.0
        self.terminal = stream is not None and stream.isatty()
        self.started = self.said = clock()

    def expect(self, rows: int) -> None:
        """``rows`` more scenarios are to be done, in the store or not."""
        self.total += rows

    def reuse(self, rows: int) -> None:
        """``rows`` more scenarios are done without a run, which says nothing about the speed."""
        self.reused += rows
        self.done += rows

    def foresee(self, rows: int, seconds: float) -> None:
        """``rows`` more of the scenarios will run, for an estimated ``seconds`` of one core."""
        self.foreseen += rows
        self.foreseen_s += seconds

    def add(self, rows: int, failed: int = 0, lockups: int = 0, seconds: float = 0.0) -> None:
        """``rows`` more scenarios have run, for which ``seconds`` were estimated; ``failed`` of them failed,
        ``lockups`` of them lock up."""
        self.done += rows
        self.spent_s += seconds
        self.failed += failed
        self.lockups += lockups
        if self.stream and self.clock() - self.said >= (TERMINAL_S if self.terminal else PLAIN_S):
            self.said = self.clock()
            self.stream.write(f"\r\x1b[K{self.line()}" if self.terminal else f"{self.line()}\n")
            self.stream.flush()

    def snapshot(self) -> dict[str, Any]:
        """What status.json says of it; ``rate_per_s`` and ``left_s`` are None until a scenario has run."""
        passed_s = self.clock() - self.started
        rate = (self.done - self.reused) / max(passed_s, 1e-9)
        return {
            "total": self.total,
            "done": self.done,
            "reused": self.reused,
            "failed": self.failed,
            "lockups": self.lockups,
            "passed_s": round(passed_s, 1),
            "rate_per_s": round(rate, 3) if rate else None,
            "left_s": round(passed_s * self._left(), 1) if rate else None,
        }

    def _left(self) -> float:
        """What is left to run over what has run, in estimated seconds or, without an estimate, in scenarios."""
        if not self.spent_s:
            return (self.total - self.done) / (self.done - self.reused)
        whole_s = self.foreseen_s * (self.total - self.reused) / self.foreseen
        return max(whole_s / self.spent_s - 1.0, 0.0)

    def line(self) -> str:
        """The state in one line, with the time left at the rate so far."""
        return describe(self.snapshot())

    def close(self) -> None:
        """The last line."""
        if self.stream:
            clear = "\r\x1b[K" if self.terminal else ""
            self.stream.write(f"{clear}{ended(self.snapshot())}\n")
            self.stream.flush()


def describe(counts: dict[str, Any]) -> str:
    """A ``Progress.snapshot`` in one line."""
    share = counts["done"] / max(counts["total"], 1)
    rate, left_s = counts["rate_per_s"] or 0.0, counts["left_s"]
    left = "unknown time" if left_s is None else duration(left_s)
    done = f"{counts['done']}/{counts['total']} scenarios ({share:.0%})"
    return f"{done}, {rate:.1f}/s, {left} left{_found(counts)}"


def ended(counts: dict[str, Any]) -> str:
    """The last snapshot in one line."""
    return f"{counts['done']} of {counts['total']} scenarios in {duration(counts['passed_s'])}{_found(counts)}"


def _found(counts: dict[str, Any]) -> str:
    named = (("reused", "re-used"), ("lockups", "lock up"), ("failed", "failed"))
    return "".join(f", {counts[key]} {text}" for key, text in named if counts[key])


def duration(seconds: float) -> str:
    """'4 s', '3 min 20 s' or '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
