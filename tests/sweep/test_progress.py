"""Progress on a terminal and elsewhere, by a clock of the test's own."""

from __future__ import annotations

import io
import threading
import time

import pytest

from sweep.progress import PLAIN_S, SILENT_S, Progress, duration


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
    progress.foresee(100, 50.0, 0.0)
    next(times)
    for tick in range(10):
        now = next(times)
        progress.add(10, 1 if tick == 3 else 0, estimated_s=5.0, took_s=step_s)
    progress.close()
    return stream.getvalue()


def test_plain_lines_now_and_then() -> None:
    lines = run(io.StringIO(), 4.0).splitlines()
    assert lines[0] == "30/100 scenarios, 30% of the work, 28 s left"
    assert lines[-1] == "100 of 100 scenarios in 40 s, 1 failed"
    assert len(lines) == 4


def test_one_line_that_changes_on_a_terminal() -> None:
    text = run(Terminal(), 1.0)
    assert text.count("\n") == 1
    assert "\r\x1b[K40/100 scenarios, 40% of the work, 6 s left, 1 failed" in text


def test_found_so_far_and_what_needed_no_run() -> None:
    stream, now = io.StringIO(), 0.0
    progress = Progress(stream, lambda: now)
    progress.expect(60)
    progress.reuse(50)
    progress.expect(40)
    progress.foresee(50, 10.0, 0.0)
    assert stream.getvalue() == ""
    now = 10.0
    progress.add(20, failed=1, lockups=5, estimated_s=4.0, took_s=8.0)
    told = "70/100 scenarios, 40% of the work, 15 s left, 50 re-used, 5 of the others lock up, 1 failed\n"
    assert stream.getvalue() == told
    progress.add(30, lockups=2, estimated_s=6.0, took_s=12.0)
    progress.found(22, 4)
    progress.close()
    assert stream.getvalue() == f"{told}100 of 100 scenarios in 10 s, 50 re-used, 22 lock up, 4 failed\n"


def test_the_time_left_follows_the_work_not_the_scenarios() -> None:
    """A dear chunk first: a tenth of the scenarios and half of the work. Half of the scenarios are not foreseen yet."""
    now = 0.0
    progress = Progress(None, lambda: now)
    progress.expect(100)
    progress.foresee(50, 20.0, 20.0)
    now = 30.0
    progress.add(10, delicate=True, estimated_s=20.0, took_s=60.0)
    assert (progress.snapshot()["work"], progress.snapshot()["left_s"]) == (0.25, 90.0)  # 20 of 80 s, in 30 s
    progress.foresee(50, 0.0, 0.0)
    assert progress.snapshot()["left_s"] == 30.0
    progress.add(90, estimated_s=20.0, took_s=60.0)
    assert (progress.snapshot()["work"], progress.snapshot()["left_s"]) == (1.0, 0.0)


def test_an_estimate_that_is_far_off_for_one_kind_of_work_is_corrected_by_what_it_took() -> None:
    """What goes in slices takes ten times its estimate: at the end of the dear ones nearly all seems to be done."""
    now = 0.0
    progress = Progress(None, lambda: now)
    progress.expect(100)
    progress.foresee(100, 20.0, 80.0)
    now = 80.0
    progress.add(10, delicate=True, estimated_s=80.0, took_s=80.0)
    assert progress.snapshot()["left_s"] == 20.0
    now = 130.0
    progress.add(10, estimated_s=5.0, took_s=50.0)
    assert progress.snapshot()["left_s"] == 150.0


def test_it_is_told_to_be_alive_while_no_chunk_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.progress.SILENT_S", 0.005)
    stream, passed_s = io.StringIO(), [0.0]
    progress = Progress(stream, lambda: passed_s[-1])
    progress.expect(5)
    with progress.alive():
        for at_s in (PLAIN_S - 1.0, PLAIN_S, 2 * PLAIN_S):
            passed_s.append(at_s)
            time.sleep(0.1)
    threads = [thread.name for thread in threading.enumerate()]
    assert "progress" not in threads
    assert stream.getvalue() == "".join(f"0/5 scenarios after {s} s, unknown time left\n" for s in (10, 20))
    assert SILENT_S + PLAIN_S <= 30.0


def test_quiet_says_nothing_and_counts() -> None:
    progress = Progress(None)
    progress.add(10, lockups=3)
    progress.close()
    assert (progress.done, progress.lockups) == (10, 3)


def test_before_anything_has_run() -> None:
    assert Progress(None).line() == "0/0 scenarios after 0 s, unknown time left"


def test_durations() -> None:
    assert [duration(s) for s in (0.2, 59.6, 200, 7500)] == ["0 s", "1 min 00 s", "3 min 20 s", "2 h 05 min"]
