"""Bad input: exit code 2, one line on stderr, nothing on stdout, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.command import exit_code

HEADER = "cpus,unmap_burst,burst_period_us,in_flight"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a file of points, a broken one, and a folder that is somebody else's."""
    (tmp_path / "good.csv").write_text(f"{HEADER}\n8,4,1000,16\n")
    (tmp_path / "broken.parquet").write_text("no Parquet")
    (tmp_path / "empty.csv").write_text(f"{HEADER}\n")
    (tmp_path / "missing.csv").write_text("cpus,unmap_burst\n8,4\n")
    (tmp_path / "unknown.csv").write_text(f"{HEADER},colour\n8,4,1000,16,red\n")
    (tmp_path / "twice.csv").write_text(f"id,{HEADER}\na,8,4,1000,16\na,9,4,1000,16\n")
    (tmp_path / "burst.csv").write_text(f"{HEADER}\n8,17,1000,16\n")
    (tmp_path / "nan.csv").write_text(f"{HEADER}\n8,4,nan,16\n")
    (tmp_path / "policy.csv").write_text(f"{HEADER},policy\n8,4,1000,16,heap\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "diary.txt").write_text("dear diary")
    monkeypatch.chdir(tmp_path)
    return tmp_path


BAD = [
    (["gird.cpus=[8]"], "gird: unknown key; did you mean grid?"),
    (["+grid=lage"], "grid: 'lage' was given"),
    (["--nonsense"], "unrecognized arguments"),
    (["grid.cpus=[0]"], "grid.cpus: 0 was given; allowed is a whole number from 1 to 4096"),
    (["grid.cpus=[]"], "grid.cpus: an empty list"),
    (["grid.unmap_burst=2000"], "unmap_burst: 2000 was given; allowed is at most in_flight"),
    (["grid.rb_visit_ns=-1"], "grid.rb_visit_ns: -1 was given"),
    (["host.rb_visit_ns=-1"], "rb_visit_ns: -1.0 was given"),
    (["grid.horizon_s=nan"], "grid.horizon_s: nan was given"),
    (["grid.policy=[heap]"], "policy: 'heap' was given; allowed are array,"),
    (["grid.iova_pages=[1048577]"], "grid.iova_pages: '1048577' was given; allowed are sizes of 1 to 1048576 pages"),
    (["executor=slurm"], "executor: 'slurm' was given; allowed are ray, inline"),
    (["grid.name=../up"], "grid.name: '../up' was given"),
    (["grid.name=a//b", "output=out"], "grid.name: 'a//b' was given"),
    (["points=absent.csv"], "absent.csv was given; there is no such file"),
    (["points=theirs"], "it is a folder"),
    (["points=broken.parquet"], "broken.parquet cannot be read"),
    (["points=empty.csv"], "holds no scenarios"),
    (["points=missing.csv"], "burst_period_us: missing"),
    (["points=unknown.csv"], "colour: unknown column"),
    (["points=twice.csv"], "id: 'a' was given in rows 1 and 2"),
    (["points=burst.csv"], "unmap_burst: 17 was given"),
    (["points=nan.csv"], "burst_period_us: 'nan' was given"),
    (["points=policy.csv"], "policy: 'heap' was given"),
    (["points=good.csv", "output=theirs"], "holds something else than this sweep"),
    (["points=good.csv", "output=good.csv"], "good.csv cannot be written"),
    (["points=good.csv", "output=good.csv/below"], "cannot be written"),
    (["points=good.csv", "output=/proc/nowhere/out"], "/proc/nowhere/out cannot be written"),
    (["points=good.csv", "output="], "output: an empty text"),
    (["points=good.csv", "store="], "store: an empty text"),
    (["points=good.csv", "store=good.csv"], "store: "),
    (["points=good.csv", f"output={'a' * 300}"], "cannot be written"),
    (["+grid=smoke", "cluster.cpus=0"], "cluster.cpus: 0 was given; allowed is a whole number from 1"),
    (["cluster.address=127.0.0.1:1"], "cluster.address: nothing answers at '127.0.0.1:1'"),
]


@pytest.mark.parametrize(("argv", "told"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_one_sentence_and_nothing_written(
    argv: list[str], told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(here)
    assert exit_code("sweep", main, argv) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.startswith("sweep: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    assert said.out == ""
    assert contents(here) == before


def test_the_same_from_the_shell(here: Path) -> None:
    before = contents(here)
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "grid.cpsu=[8]"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("sweep: grid.cpsu: unknown key; did you mean cpus?")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert contents(here) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}
