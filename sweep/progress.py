"""How far a sweep is: one line that changes on a terminal, plain lines now and then in a log, none when quiet."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

TERMINAL_S, PLAIN_S = 0.2, 10.0
"""Least time between two reports."""

SILENT_S = 20.0
"""So often it is looked whether the last report is PLAIN_S old, as chunks take minutes: none is 30 s old."""


@dataclass
class Work:
    """Estimated seconds of one core: of all scenarios looked up so far that run, and of those that have; and what the
    latter took."""

    foreseen_s: float = 0.0
    spent_s: float = 0.0
    took_s: float = 0.0


class Progress:
    """Counts scenarios and says so on ``stream``, or nowhere if that is None; ``clock`` gives seconds.

    ``reused``: of those done, how many needed no run. ``failed``, ``lockups``: of those that ran, until ``found`` says
    it of all.
    The time left counts work, not scenarios: dear ones come first.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.total = self.done = self.reused = self.failed = self.lockups = 0
        self.of_all = False
        self.foreseen = 0
        self.work = {False: Work(), True: Work()}  # in slices, and event by event: how far an estimate is off differs
        self.terminal = stream is not None and stream.isatty()
        self.started = self.said = clock()
        self._saying = threading.Lock()

    def expect(self, rows: int) -> None:
        """``rows`` more scenarios are to be done, in the store or not."""
        self.total += rows

    def reuse(self, rows: int) -> None:
        """``rows`` more scenarios are done without a run, which says nothing about the speed."""
        self.reused += rows
        self.done += rows

    def foresee(self, rows: int, sliced_s: float, delicate_s: float) -> None:
        """``rows`` more of the scenarios will run, for an estimated time of one core, those event by event apart."""
        self.foreseen += rows
        self.work[False].foreseen_s += sliced_s
        self.work[True].foreseen_s += delicate_s

    def add(
        self,
        rows: int,
        failed: int = 0,
        lockups: int = 0,
        delicate: bool = False,
        estimated_s: float = 0.0,
        took_s: float = 0.0,
    ) -> None:
        """``rows`` more scenarios have run; ``failed`` of them failed, ``lockups`` of them lock up."""
        self.done += rows
        self.failed += failed
        self.lockups += lockups
        self.work[delicate].spent_s += estimated_s
        self.work[delicate].took_s += took_s
        self._say(TERMINAL_S if self.terminal else PLAIN_S)

    def found(self, lockups: int, failed: int) -> None:
        """So many of all scenarios done lock up and failed, re-used ones among them."""
        self.lockups, self.failed, self.of_all = lockups, failed, True

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Meanwhile it says how far it is though nothing is added."""
        if self.stream is None:
            yield
            return
        over = threading.Event()

        def tell() -> None:
            while not over.wait(SILENT_S):
                self._say(PLAIN_S)

        thread = threading.Thread(target=tell, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def snapshot(self) -> dict[str, Any]:
        """What status.json says of it; ``work``, the share of it that is done, and ``left_s`` are None until a scenario
        has run."""
        passed_s, work = self.clock() - self.started, self._share()
        return {
            "total": self.total,
            "done": self.done,
            "reused": self.reused,
            "failed": self.failed,
            "lockups": self.lockups,
            "lockups_of_all": self.of_all or not self.reused,
            "passed_s": round(passed_s, 1),
            "work": work and round(work, 4),
            "left_s": work and round(passed_s * (1.0 / work - 1.0), 1),
        }

    def _share(self) -> float | None:
        """Of the work, by what was estimated; each kind of it corrected by what that took, or all of it, so far."""
        both = self.work.values()
        spent_s, took_s = sum(one.spent_s for one in both), sum(one.took_s for one in both)
        if not spent_s or not took_s:
            return None
        whole_s = sum(one.foreseen_s * (one.took_s / one.spent_s if one.spent_s else took_s / spent_s) for one in both)
        to_come = (self.total - self.reused) / self.foreseen  # batches are looked up one by one
        return min(took_s / (whole_s * to_come), 1.0)

    def line(self) -> str:
        """The state in one line, with the time left as work went so far."""
        return describe(self.snapshot())

    def close(self) -> None:
        """The last line."""
        if self.stream:
            clear = "\r\x1b[K" if self.terminal else ""
            self.stream.write(f"{clear}{ended(self.snapshot())}\n")
            self.stream.flush()

    def _say(self, after_s: float) -> None:
        """The line, unless there was one within ``after_s``."""
        with self._saying:
            if self.stream and self.clock() - self.said >= after_s:
                self.said = self.clock()
                self.stream.write(f"\r\x1b[K{self.line()}" if self.terminal else f"{self.line()}\n")
                self.stream.flush()


def describe(counts: dict[str, Any]) -> str:
    """A ``Progress.snapshot`` in one line."""
    done = f"{counts['done']}/{counts['total']} scenarios"
    work = counts.get("work")  # older versions wrote none into status.json
    if work is None:
        return f"{done} after {duration(counts['passed_s'])}, unknown time left{_found(counts)}"
    return f"{done}, {int(100 * work)}% of the work, {duration(counts['left_s'])} left{_found(counts)}"


def ended(counts: dict[str, Any]) -> str:
    """The last snapshot in one line."""
    return f"{counts['done']} of {counts['total']} scenarios in {duration(counts['passed_s'])}{_found(counts)}"


def _found(counts: dict[str, Any]) -> str:
    lock_up = "lock up" if counts.get("lockups_of_all", True) else "of the others lock up"
    named = (("reused", "re-used"), ("lockups", lock_up), ("failed", "failed"))
    return "".join(f", {counts[key]} {text}" for key, text in named if counts[key])


def duration(seconds: float) -> str:
    """'4 s', '3 min 20 s' or '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
