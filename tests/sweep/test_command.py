"""How every command ends: the exit code that says how, and what stderr says of it."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.command import Folder, exit_code, refuse_another_report, refuse_to_replace
from sweep.document import Document
from sweep.document.markdown import to_markdown
from sweep.storage import open_storage
from sweep.storage.s3 import S3Storage
from workers.schema import ScenarioError


def ending(error: BaseException) -> int:
    def run(argv: list[str]) -> int:
        raise error

    return exit_code("sweep.some", run, [])


def test_a_defect_is_no_sweep_that_finished_with_failed_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyError("a\nb \x1b[31m")) == 70
    said = capsys.readouterr().err.splitlines()
    assert said[0] == r"sweep.some: ended by a defect of the program, please report it: KeyError: 'a\nb \x1b[31m'"
    assert said[1] == "Traceback (most recent call last):"
    assert said[-1] == r"KeyError: 'a\nb \x1b[31m'"


def test_the_other_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sweep.some", len, ["a"]) == 1
    assert (ending(ScenarioError("no\ngood")), ending(KeyboardInterrupt())) == (2, 130)
    assert capsys.readouterr().err == "sweep.some: no good\n\nsweep.some: interrupted; give the same command again\n"


def test_nobody_reads_what_is_printed(tmp_path: Path) -> None:
    """As under ``| head``: the shell's code, and not a word about the disk; the results are there."""
    (tmp_path / "one.csv").write_text("cpus,unmap_burst,burst_period_us,in_flight,horizon_s\n8,4,1000,16,0.02\n")
    running = ["points=one.csv", "output=out", "store=store", "executor=inline"]
    for argv, told in (["--help"], ""), (running, "0 of 1 point re-used"):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            path = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
            done = subprocess.run(
                [sys.executable, "-m", "sweep", *argv],
                cwd=tmp_path, env=path, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=120,
            )
        assert done.returncode == 141
        assert done.stderr.startswith(told)
        assert "cannot be written" not in done.stderr
        assert "Broken" not in done.stderr
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["state"] == "interrupted"
    assert (tmp_path / "out" / "results.parquet").exists()


@pytest.mark.parametrize("name", ["cli", "status", "report.__main__", "capacity.cli", "sru.cli", "workload.__main__"])
def test_every_help_says_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):  # argparse's way
        importlib.import_module(f"sweep.{name}").main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "70 a defect" in said
    assert "130 interrupted" in said


def test_no_command_replaces_the_file_that_it_was_given(tmp_path: Path) -> None:
    """By whatever name that is."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to("out/runs.csv")
    folder = open_storage(str(tmp_path / "out"))
    for given in ("out/runs.csv", "out/../out/runs.csv", "link.csv"):
        with pytest.raises(ScenarioError, match=r"would replace it by the runs\.csv that is written there"):
            refuse_to_replace(str(tmp_path / given), folder, ("a.md", "runs.csv"))
    refuse_to_replace(str(tmp_path / "out" / "runs.csv"), folder, ("a.md",))
    refuse_to_replace("-", folder, ("runs.csv",))
    refuse_to_replace(str(tmp_path / "out" / "runs.csv"), S3Storage("bucket", "out"), ("runs.csv",))


def test_a_folder_that_another_command_has_written_meanwhile(tmp_path: Path) -> None:
    folder = Folder(open_storage(str(tmp_path)), ("sru.md",), "typical", "Claims for ", "typical")
    folder.check()
    folder.write({"sru.md": b"# Claims for typical\n\nfirst"})
    folder.write({"sru.md": b"# Claims for typical\n\nagain"})
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ScenarioError, match=r"holds manifest\.json, which is none of this command's"):
        folder.write({"sru.md": b"too late"})
    assert (tmp_path / "sru.md").read_text() == "# Claims for typical\n\nagain"


@pytest.mark.parametrize("name", ["a&b <c>.csv", "x_*[y](z)|`~`.csv", "a  b.csv", "&amp;.csv", "#1 \\ $2@www.de", "é"])
def test_a_report_is_known_by_its_title_whatever_its_name(name: str, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    storage.write("sru.md", to_markdown(Document(f"Claims for {name}", (), ())).encode())
    refuse_another_report(storage, "sru.md", "Claims for ", name)
    with pytest.raises(ScenarioError, match=r" holds the report of .*, not of typical; give an empty or a new folder"):
        refuse_another_report(storage, "sru.md", "Claims for ", "typical")
    with pytest.raises(ScenarioError, match=r"holds sru\.md of something else, not of "):
        refuse_another_report(storage, "sru.md", "Capacity of ", name)


def test_a_report_that_cannot_be_read_is_no_defect(tmp_path: Path) -> None:
    (tmp_path / "sru.md").mkdir()
    with pytest.raises(ScenarioError, match=r"sru\.md cannot be read \(Is a directory\)"):
        refuse_another_report(open_storage(str(tmp_path)), "sru.md", "Claims for ", "typical")
