"""The status file as another terminal reads it: alive, gone, standing still, ended, and none at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sweep.command import exit_code
from sweep.output import MANIFEST
from sweep.progress import Progress
from sweep.status import GONE, OLD_S, STATUS, Heart, begin, main, read, refuse_running, standing_of, text
from sweep.storage import open_storage
from sweep.storage.local import LocalStorage
from workers.schema import ScenarioError

COUNTS = Progress(None).snapshot() | {"total": 100, "done": 40, "work": 0.5, "left_s": 24.0, "lockups": 3}


def said(**changes: Any) -> dict[str, Any]:
    who = {"state": "running", "pid": os.getpid(), "host": os.uname().nodename, "started": 0.0, "heartbeat": 1000.0}
    return who | COUNTS | changes


def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_running_sweep_from_another_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heart = Heart(open_storage(str(tmp_path)), lambda: COUNTS)
    assert main([str(tmp_path)]) == 3
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("running, started 20")
    assert f"(process {os.getpid()})" in first
    assert second == "40/100 scenarios, 50% of the work, 24 s left, 3 lock up"
    assert third == "last heartbeat 0 s ago"
    heart.stop("complete")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("complete, started 20")
    assert [path.name for path in tmp_path.iterdir()] == [STATUS]


def test_it_beats_by_itself(tmp_path: Path) -> None:
    heart = Heart(open_storage(str(tmp_path)), lambda: COUNTS, every_s=0.01)
    first = read(str(tmp_path))["heartbeat"]
    waited_until = time.monotonic() + 60
    while read(str(tmp_path))["heartbeat"] == first and time.monotonic() < waited_until:
        time.sleep(0.01)
    assert read(str(tmp_path))["heartbeat"] > first
    heart.stop("complete")
    assert not heart.thread.is_alive()


def test_a_disk_that_is_full_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStorage, "write", full)
    heart = Heart(open_storage(str(tmp_path)), lambda: COUNTS, every_s=0.001)
    time.sleep(0.05)
    assert heart.thread.is_alive()
    heart.stop("complete")


def test_an_old_heartbeat() -> None:
    now = 1000.0 + OLD_S + 1
    lines = text(said(), now).splitlines()
    assert lines[0].startswith("no heartbeat for 31 s, started 1970")
    assert lines[2] == "last heartbeat 31 s ago; the process is there, but stands still"
    assert text(said(host="elsewhere"), now).endswith("31 s ago; it may be gone: look at elsewhere")
    assert text(said(host="elsewhere"), 1001.0).startswith("running, ")


def test_one_that_was_killed_is_told_at_once() -> None:
    assert standing_of(said(pid=gone()), 1001.0) == GONE
    lines = text(said(pid=gone()), 1001.0).splitlines()
    assert lines[0].startswith("interrupted, its process is gone; the same command goes on, started 1970")
    assert lines[1].startswith("40 of 100 scenarios in ")


def test_a_zombie_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody has asked how
    assert standing_of(said(pid=process.pid), 1001.0) == GONE
    process.wait()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 3),
        ({"heartbeat": 1000.0}, 4),
        ({"state": "complete"}, 0),
        ({"state": "failed points"}, 1),
        ({"state": "interrupted"}, 4),
        ({"state": "stopped by an error"}, 4),
    ],
)
def test_exit_codes_for_a_script(changes: dict[str, Any], code: int, tmp_path: Path) -> None:
    (tmp_path / STATUS).write_text(json.dumps(said(**{"heartbeat": time.time()} | changes)))
    assert main([str(tmp_path)]) == code


def test_a_folder_that_another_sweep_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = open_storage(str(tmp_path)), os.getppid()

    def write(**changes: Any) -> None:
        (tmp_path / STATUS).write_text(json.dumps(said(**{"heartbeat": time.time(), "pid": other} | changes)))

    refuse_running(folder)  # none yet
    for changes in ({}, {"host": "elsewhere"}, {"host": "elsewhere", "pid": os.getpid()}):
        write(**changes)
        monkeypatch.setattr(time, "sleep", lambda _, changes=changes: write(**changes))  # it beats meanwhile
        with pytest.raises(ScenarioError, match=r"output: another sweep is writing .*: process \d+ on .*, last heart"):
            refuse_running(folder)
    old = time.time() - OLD_S - 1
    ahead = time.time() + 3600
    for changes in (
        {"pid": gone()},
        {"pid": os.getpid()},  # a container's earlier life
        {"state": "interrupted"},
        {"heartbeat": old},
        {"host": "elsewhere", "heartbeat": old},
        {"host": "elsewhere", "heartbeat": ahead},
    ):
        write(**changes)
        refuse_running(folder)
    (tmp_path / STATUS).write_text("{}")
    refuse_running(folder)


def test_another_sweep_that_came_and_went_since_the_folder_was_looked_at(tmp_path: Path) -> None:
    folder = open_storage(str(tmp_path / "new"))
    for _ in range(2):  # the second one goes on where the first one ended
        begin(folder, "key", lambda: COUNTS).stop("complete")
        folder.write(MANIFEST, json.dumps({"sweep_key": "key"}).encode())
    before = folder.read(STATUS)
    with pytest.raises(ScenarioError, match=r"something else than this sweep: its manifest\.json is of another"):
        begin(folder, "other", lambda: COUNTS)
    assert folder.read(STATUS) == before


def test_a_driver_that_was_lost_on_another_machine_is_waited_for_and_then_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = time.time() - 20
    (tmp_path / STATUS).write_text(json.dumps(said(host="elsewhere", heartbeat=last)))
    waited_s: list[float] = []

    def later(seconds: float) -> None:
        waited_s.append(seconds)
        monkeypatch.setattr(time, "time", lambda: last + 20 + sum(waited_s))

    monkeypatch.setattr(time, "sleep", later)
    refuse_running(open_storage(str(tmp_path)))
    assert OLD_S - 20 < sum(waited_s) < OLD_S - 20 + 3


def test_what_it_ended_with() -> None:
    lines = text(said(state="failed points", done=100, failed=2, reused=30, passed_s=70.0), 5000.0).splitlines()
    assert lines[0].startswith("failed points, started 1970-01-01 00:00:00 UTC")
    assert lines[1:] == ["100 of 100 scenarios in 1 min 10 s, 30 re-used, 3 lock up, 2 failed"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps(said(pid="x")), json.dumps(said(heartbeat=None))])
def test_no_status_is_one_sentence(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / STATUS).write_text(content)
    assert exit_code("sweep.status", main, [str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"sweep.status: {tmp_path} was given; ")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://UPPER", "allowed is s3://BUCKET/PREFIX of letters"),
        ("ftp://x", "allowed are the path of a folder and s3://BUCKET/PREFIX"),
        ("", "an empty text was given"),
    ],
)
def test_a_bad_url_says_why(url: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sweep.status", main, [url]) == 2
    told = capsys.readouterr().err
    assert told.startswith("sweep.status: DIR: ")
    assert why in told


def test_no_folder_and_no_argument(tmp_path: Path) -> None:
    for argv, what in (
        ([str(tmp_path / "none")], "No such file or directory"),
        ([], "the following arguments are required: DIR"),
        (["a", "b"], "unrecognized arguments: b"),
    ):
        command = [sys.executable, "-m", "sweep.status", *argv]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, "")
        assert what in done.stderr
