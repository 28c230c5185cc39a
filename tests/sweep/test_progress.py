"""Progress on a terminal and elsewhere, by a clock of the test's own."""

from __future__ import annotations

import io

from sweep.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, step_s: float) -> str:
    times = iter([0.0] + [step_s * tick for tick in range(1, 200)])
    now = 0.0

    def clock() -> float:
        return now

    progress = Progress(stream, clock)
    progress.expect(100)
    next(times)
    for tick in range(10):
        now = next(times)
        progress.add(10, 1 if tick == 3 else 0)
    progress.close()
    return stream.getvalue()


def test_plain_lines_now_and_then() -> None:
    lines = run(io.StringIO(), 4.0).splitlines()
    assert lines[0] == "30/100 scenarios (30%), 2.5/s, 28 s left"
    assert lines[-1] == "100 of 100 scenarios in 40 s, 1 failed"
    assert len(lines) == 4


def test_one_line_that_changes_on_a_terminal() -> None:
    text = run(Terminal(), 1.0)
    assert text.count("\n") == 1
    assert "\r\x1b[K40/100 scenarios (40%), 10.0/s, 6 s left, 1 failed" in text


def test_found_so_far_and_what_needed_no_run() -> None:
    stream, now = io.StringIO(), 0.0
    progress = Progress(stream, lambda: now)
    progress.expect(60)
    progress.reuse(50)
    progress.expect(40)
    assert stream.getvalue() == ""
    now = 10.0
    progress.add(20, failed=1, lockups=5)
    assert stream.getvalue() == "70/100 scenarios (70%), 2.0/s, 15 s left, 50 re-used, 5 lock up, 1 failed\n"
    assert progress.snapshot()["rate_per_s"] == 2.0


def test_the_time_left_follows_what_was_estimated() -> None:
    """A dear chunk first: a tenth of the scenarios and half of the work. Half of the scenarios are not foreseen yet."""
    now = 0.0
    progress = Progress(None, lambda: now)
    progress.expect(100)
    progress.foresee(50, 40.0)
    now = 30.0
    progress.add(10, seconds=20.0)
    assert progress.snapshot()["left_s"] == 90.0  # 80 s of work in all, 20 of them done in 30 s
    progress.foresee(50, 0.0)
    assert progress.snapshot()["left_s"] == 30.0
    progress.add(90, seconds=20.0)
    assert progress.snapshot()["left_s"] == 0.0


def test_quiet_says_nothing_and_counts() -> None:
    progress = Progress(None)
    progress.add(10, lockups=3)
    progress.close()
    assert (progress.done, progress.lockups) == (10, 3)


def test_before_anything_has_run() -> None:
    assert Progress(None).line() == "0/0 scenarios (0%), 0.0/s, unknown time left"


def test_durations() -> None:
    assert [duration(s) for s in (0.2, 59.6, 200, 7500)] == ["0 s", "1 min 00 s", "3 min 20 s", "2 h 05 min"]
