"""The command: Markdown out, files beside, refusals; once with the real model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sweep.command import exit_code
from sweep.sru.cli import FILES, main
from sweep.sru.runs import POLICIES
from tests.sweep.capacity.standin import above, model

ROOT = Path(__file__).parents[3]
LOCKS = model(above({"array": 500}))
FLEET = "name,kernel,cpus,unmap_burst,unmap_rate_per_s,in_flight,seed\na,6.1,8,8,1000,64,\nb,5.15,16,8,100,64,\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.csv").write_text(FLEET)


def test_a_host_becomes_the_text_of_the_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["typical", "--inline", "--output", "out"], LOCKS) == 0
    told = capsys.readouterr()
    text = Path("out/sru.md").read_text()
    assert told.out == text
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(FILES)
    for heading in ("## Test Plan", "## Where problems could occur", "## The report's claims"):
        assert heading in text
    assert "| 5.15 | locks up |" in text
    assert "| both patches | safe |" in text
    assert "rate_iops=5000" in text


def test_every_run_it_names_is_in_the_points_file() -> None:
    assert main(["typical", "--inline", "--output", "out", "--quiet"], LOCKS) == 0
    runs = pl.read_csv("out/runs.csv")
    text = Path("out/sru.md").read_text()
    assert len(set(runs["id"])) == runs.height == 8
    assert [name for name in runs["id"] if name not in text] == []
    assert set(POLICIES.values()) <= set(runs["policy"])


def test_options_are_the_columns_of_a_fleet() -> None:
    argv = ["low", "--cpus", "32", "--workload", "nvme_128k_seq", "--in-flight", "99", "--inline", "--output", "out"]
    assert main([*argv, "--quiet"], LOCKS) == 0
    row = pl.read_csv("out/runs.csv").filter(id="low/5.15").to_dicts()[0]
    assert (row["cpus"], row["in_flight"], row["rb_visit_ns"]) == (32, 99, 5.0)


def test_a_fleet_or_one_of_its_rows() -> None:
    assert main(["fleet.csv", "--inline", "--output", "all", "--quiet"], LOCKS) == 0
    assert {"a: to expect", "b: to expect"} <= set(Path("all/sru.md").read_text().replace("**", "").splitlines())
    assert main(["fleet.csv", "--row", "b", "--inline", "--output", "one", "--quiet"], LOCKS) == 0
    assert {name.split("/")[0] for name in pl.read_csv("one/runs.csv")["id"]} == {"b"}
    assert pl.read_csv("all/runs.csv").filter(id="a/5.15")["policy"].to_list() == ["array"]  # 5.15, whatever it runs


def test_each_host_s_longest_stay_has_the_limit_of_its_ticks() -> None:
    lines = FLEET.splitlines()
    Path("fleet.csv").write_text("\n".join([f"{lines[0]},hz", f"{lines[1]},1000", f"{lines[2]},250"]) + "\n")
    assert main(["fleet.csv", "--inline", "--output", "out", "--quiet"], LOCKS) == 0
    text = " ".join(Path("out/sru.md").read_text().split())
    assert "stays below the re-arm period (16,000 at HZ=250, 11,000 at HZ=1000) wherever" in text.replace("\\", "")


def test_its_own_fleet_is_never_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("fleet.csv").rename("runs.csv")
    argv = ["runs.csv", "--inline", "--output", ".", "--store", "../store"]
    assert exit_code("sweep.sru", lambda given: main(given, LOCKS), argv) == 2
    assert capsys.readouterr().err.startswith("sweep.sru: runs.csv was given; output ")
    assert ([path.name for path in Path().iterdir()], Path("runs.csv").read_text()) == (["runs.csv"], FLEET)


def test_a_run_that_fails_is_told_and_nothing_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["typical", "--seed", "666", "--inline", "--output", "out"], LOCKS) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "failed: typical/5.15: ValueError: no such machine" in told.err
    assert not Path("out").exists()


def files() -> dict[str, bytes]:
    return {name: Path("out", name).read_bytes() for name in FILES}


def test_the_text_of_another_host_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["--inline", "--output", "out", "--quiet"]
    for first, others, held in (
        (["typical"], (["high"], ["fleet.csv"]), "typical"),
        (["fleet.csv", "--row", "a"], (["fleet.csv", "--row", "b"], ["fleet.csv"], ["typical"]), "fleet.csv, row a"),
    ):
        shutil.rmtree("out", ignore_errors=True)
        assert main([*first, *rest], LOCKS) == 0
        before = files()
        for other in others:
            assert exit_code("sweep.sru", lambda given: main(given, LOCKS), [*other, *rest]) == 2
            assert f"out holds the report of {held}, not of {other[0]}" in capsys.readouterr().err
        assert files() == before
        assert main([*first, *rest, "--horizon-s", "1"], LOCKS) == 0  # the same one again
        assert files()["sru.md"] != before["sru.md"]


def test_a_run_that_fails_replaces_nothing() -> None:
    argv = ["typical", "--inline", "--output", "out", "--quiet"]
    assert main(argv, LOCKS) == 0
    before = files()
    assert main([*argv, "--seed", "666"], LOCKS) == 1
    assert files() == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "the following arguments are required: HOST|FLEET"),
        (["nobody"], "'nobody' was given; allowed are a fleet file and the hosts amd_milan"),
        (["typical", "--cpus", "0"], "cpus: '0' was given; allowed is a whole number"),
        (["typical", "--iova-pages", ",".join(map(str, range(1, 66)))], "65 sizes were given for typical; allowed"),
        (["typical", "--workload", "none"], "workload: 'none' was given"),
        (["typical", "--row", "a"], "--row: 'a' was given beside a host"),
        (["fleet.csv", "--row", "c"], "--row: 'c' was given; fleet.csv has a, b"),
        (["fleet.csv", "--in-flight", "9"], "--in-flight: given beside a fleet file"),
        (["typical", "--kernel", "6.1"], "unrecognized arguments: --kernel 6.1"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("sweep.sru", lambda given: main(given, LOCKS), argv) == 2
    told = capsys.readouterr()
    assert told.err.startswith("sweep.sru: ")
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert [path.name for path in Path().iterdir()] == ["fleet.csv"]


def test_the_real_model_and_the_command_itself() -> None:
    argv = ["typical", "--cpus", "4", "--horizon-s", "0.05", "--inline", "--output", "out", "--quiet"]
    command = [sys.executable, "-m", "sweep.sru", *argv]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert (done.returncode, done.stdout) == (0, Path("out/sru.md").read_text())
    assert "python -m sweep.sru typical --cpus 4" in done.stdout
    assert "3 safe scenarios ran too short to show a lockup, which takes a stay of 0.1 s and more" in done.stdout
    assert pl.read_csv("out/runs.csv")["horizon_s"].unique().to_list() == [0.05]
