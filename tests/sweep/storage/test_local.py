"""A folder as storage: whole files or none, whatever stops a writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep.storage import open_storage
from sweep.storage.local import LocalStorage
from workers.schema import ScenarioError


def test_a_path_is_absolute_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_storage("a/../b").url == str(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ScenarioError, match=r"^output: .*file cannot be written \(Not a directory\)"):
        open_storage(str(tmp_path / "file"))


def test_a_killed_writer_leaves_the_old_file_and_a_part(tmp_path: Path) -> None:
    LocalStorage(str(tmp_path)).write("chunk", b"old")
    write = f"""
import os, sys
from sweep.storage.local import LocalStorage
os.fsync = lambda _: (print("now", flush=True), sys.stdin.read())
LocalStorage({str(tmp_path)!r}).write("chunk", b"new")
"""
    with subprocess.Popen(
        [sys.executable, "-c", write], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "now\n"
        writer.send_signal(signal.SIGKILL)
    storage = LocalStorage(str(tmp_path))
    assert storage.names() == [("chunk", 3)]
    assert storage.read("chunk") == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    storage.clear_parts()
    (part,) = tmp_path.glob("*.part")  # too young: its writer may be alive
    os.utime(part, (time.time() - 4000,) * 2)
    storage.clear_parts()
    assert [path.name for path in tmp_path.iterdir()] == ["chunk"]


def test_a_writer_that_cannot_finish_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        LocalStorage(str(tmp_path)).write("chunk", b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_user_s_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_storage("~/x").url == str(tmp_path / "x")
