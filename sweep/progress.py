"""How far a sweep is: one line that changes on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

TERMINAL_S, PLAIN_S = 0.2, 10.0
"""Least time between two reports."""


class Progress:
    """Counts scenarios done and failed, and says so on ``stream``; ``clock`` gives seconds."""

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.stream, self.clock = total, stream, clock
        self.done = self.failed = 0
        self.terminal = stream.isatty()
        self.started = self.said = clock()

    def add(self, rows: int, failed: int) -> None:
        """``rows`` more scenarios are done, ``failed`` of them failed."""
        self.done += rows
        self.failed += failed
        if self.clock() - self.said >= (TERMINAL_S if self.terminal else PLAIN_S):
            self.said = self.clock()
            self.stream.write(f"\r\x1b[K{self.line()}" if self.terminal else f"{self.line()}\n")
            self.stream.flush()

    def line(self) -> str:
        """The state in one line, with the time left at the rate so far."""
        passed_s = max(self.clock() - self.started, 1e-9)
        rate = self.done / passed_s
        left = duration((self.total - self.done) / rate) if rate else "unknown"
        failed = f", {self.failed} failed" if self.failed else ""
        share = self.done / max(self.total, 1)
        return f"{self.done}/{self.total} scenarios ({share:.0%}), {rate:.1f}/s, {left} left{failed}"

    def close(self) -> None:
        """The last line."""
        passed = duration(self.clock() - self.started)
        failed = f", {self.failed} failed" if self.failed else ""
        clear = "\r\x1b[K" if self.terminal else ""
        self.stream.write(f"{clear}{self.done} of {self.total} scenarios in {passed}{failed}\n")
        self.stream.flush()


def duration(seconds: float) -> str:
    """'4 s', '3 min 20 s' or '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
