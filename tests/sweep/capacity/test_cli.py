"""The command from the shell's side: files, exit codes, refusals, resuming; once with the real model."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from sweep.capacity import cli
from sweep.capacity.cli import FILES, main
from sweep.command import exit_code
from sweep.compose import compose
from sweep.point import run_point
from tests.sweep.capacity.standin import above, model
from workers import delicate
from workers.schema import Columns

HEADER = "name,kernel,cpus,unmap_burst,unmap_rate_per_s,in_flight,seed"
LOCKS = model(above({"array": 500}))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fleet(*rows: str) -> str:
    Path("fleet.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return "fleet.csv"


def test_a_fleet_becomes_a_table_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([fleet("web,5.15,16,8,1000,64,"), "--inline", "--output", "out"], LOCKS) == 0
    told = capsys.readouterr()
    assert "1 host class, 1 machine: 1 lock up" in told.out
    assert told.out.splitlines()[-1].endswith("out/capacity.html")
    assert sorted(str(path) for path in Path("out").rglob("*.*")) == sorted(f"out/{name}" for name in FILES)
    assert pl.read_csv("out/capacity.csv")["after_verdict"].to_list() == ["ok"]
    assert "<html" in Path("out/capacity.html").read_text()
    assert "python -m sweep.capacity fleet.csv --inline" in Path("out/capacity.md").read_text()


def test_quiet_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([fleet("web,5.15,16,8,1000,64,"), "--inline", "--output", "out", "--quiet"], LOCKS) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == (f"report: {Path('out/capacity.html').absolute()}\n", "")


def test_again_it_runs_nothing_and_writes_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [fleet("web,5.15,16,8,1000,64,"), "--inline", "--output", "out"]
    assert main(argv, LOCKS) == 0
    first = {name: Path("out", name).read_bytes() for name in FILES}

    def refuses(scenarios: Columns) -> Columns:
        raise AssertionError("all of it is in the store")

    assert main(argv, refuses) == 0
    assert {name: Path("out", name).read_bytes() for name in FILES} == first
    assert "re-used" in capsys.readouterr().err


def test_the_report_of_another_fleet_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Path(fleet("web,5.15,16,8,1000,64,")).rename("a&b.csv")
    argv = ["--inline", "--quiet", "--output", "out"]
    assert main(["a&b.csv", *argv], LOCKS) == 0
    before = {name: Path("out", name).read_bytes() for name in FILES}
    fleet("db,5.15,16,8,1000,64,")
    assert exit_code("sweep.capacity", lambda given: main(given, LOCKS), ["fleet.csv", *argv]) == 2
    assert "out holds the report of a&b.csv, not of fleet.csv; give an empty" in capsys.readouterr().err
    assert {name: Path("out", name).read_bytes() for name in FILES} == before
    assert main(["a&b.csv", *argv], LOCKS) == 0  # the same one again


@pytest.mark.parametrize("name", FILES[:4])
def test_its_own_fleet_is_never_replaced(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(fleet("web,5.15,16,8,1000,64,")).rename(name)
    before = Path(name).read_bytes()
    argv = [name, "--inline", "--output", ".", "--store", "../store", "--quiet"]
    assert exit_code("sweep.capacity", lambda given: main(given, LOCKS), argv) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"sweep.capacity: {name} was given; output {Path().absolute()} would replace it by the")
    assert (Path(name).read_bytes(), [path.name for path in Path().iterdir()]) == (before, [name])


def test_interrupted_it_goes_on_where_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)  # what is followed would be cut into smaller batches
    argv = [fleet("web,5.15,16,8,100,64,"), "--inline", "--output", "out"]
    batches: list[int] = []

    def interrupted(scenarios: Columns) -> Columns:
        batches.append(len(scenarios["cpus"]))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return LOCKS(scenarios)

    assert exit_code("sweep.capacity", lambda given: main(given, interrupted), argv) == 130
    assert "interrupted; give the same command again" in capsys.readouterr().err
    assert not Path("out").exists()
    second = batches.copy()
    assert main(argv, interrupted) == 0
    assert batches[len(second) :] == second[1:]  # the first batch is in the store


@pytest.mark.usefixtures("ray_of_two")
def test_the_same_report_inline_and_on_ray() -> None:
    for where in (["--inline"], []):
        folder = "inline" if where else "ray"
        argv = [fleet("tiny,5.15,4,8,1000,32,"), *where, "--horizon-s", "0.02", "--output", folder, "--quiet"]
        assert main([*argv, "--store", f"{folder}-store"]) == 0
    for name in ("capacity.csv", "runs.csv"):
        assert Path("ray", name).read_bytes() == Path("inline", name).read_bytes()


def test_every_run_can_be_made_again_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    main([fleet("web,5.15,16,8,1000,64,"), "--inline", "--output", "out", "--quiet"], LOCKS)
    ids = pl.read_csv("out/runs.csv")["id"].to_list()
    assert {"web/now/x1", "web/patch/x1", "web/before/high costs"} <= set(ids)
    composed = compose(["points=out/runs.csv", "point=web/before/high costs", "output=again"])
    assert composed is not None
    series = {"simulate": LOCKS, "time_series": lambda columns: {"time_ms": columns["cpus"]}}
    assert run_point(composed.config, composed.library, **series, overrides=composed.overrides) == 0
    assert "web/before/high costs" in capsys.readouterr().out


def test_failed_runs_are_told_and_end_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main([fleet("bad,5.15,16,8,1000,64,666", "good,5.15,16,8,100,64,"), "--inline", "--output", "out"], LOCKS) == 1
    )
    told = capsys.readouterr()
    assert "failed: bad/now/x0.125: ValueError: no such machine" in told.err
    assert "run failed" in told.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no fleet was given"),
        (["fleet.csv", "--example"], "--example: given beside fleet.csv; it prints another fleet"),
        (["none.csv"], "none.csv: cannot be read as a fleet (No such file or directory)"),
        (["fleet.csv", "--horizon-s", "x"], "horizon_s: 'x' was given; allowed is a number"),
        (["fleet.csv", "--horizon", "1"], "unrecognized arguments: --horizon 1"),
        (["fleet.csv", "--config-dir", "none"], "none"),
        (["fleet.csv", "--output", "used"], "used holds mine.txt, which is none of this command's"),
        (["fleet.csv", "--output", ""], "output: an empty text was given"),
        (["fleet.csv", "--store", "ftp://x"], "store: 'ftp://x' was given"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet("web,5.15,16,8,1000,64,")
    Path("used").mkdir()
    Path("used/mine.txt").write_text("mine")
    before = sorted(Path().rglob("*"))
    assert exit_code("sweep.capacity", lambda given: main(given, LOCKS), [*argv, "--inline"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("sweep.capacity: ")
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert sorted(Path().rglob("*")) == before


def test_the_example_is_a_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--example"]) == 0
    assert capsys.readouterr().out.startswith("name,count,kernel,")


def test_help_names_every_column_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert all(f"\n  {column.name}: " in told for column in cli.FLEET_COLUMNS)
    assert "\n  rb_visit_ns: each rbtree node looked at; default the host's\n" in told
    assert "130 interrupted" in told


def test_a_dry_run_estimates_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [fleet("web,5.15,16,8,1000,64,"), "--inline", "--output", "out", "--dry-run"]
    assert main(argv, LOCKS) == 0
    told = capsys.readouterr().out
    assert "first batch   38 runs (0 in the store)" in told
    assert "core time" in told
    assert "on 1 CPU\n" in told
    assert [path.name for path in Path().iterdir()] == ["fleet.csv"]


def test_a_dry_run_asks_the_cluster_that_the_study_would_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")  # nobody listens there
    argv = [fleet("web,5.15,16,8,1000,64,"), "--output", "out", "--dry-run"]
    assert exit_code("sweep.capacity", lambda given: main(given, LOCKS), argv) == 2
    told = capsys.readouterr()
    assert "127.0.0.1:2" in told.err
    assert told.out == ""


def test_hosts_of_one_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine/host").mkdir(parents=True)
    Path("mine/host/ours.yaml").write_text("rb_visit_ns: 77\n")
    Path("fleet.csv").write_text(f"{HEADER},host\nweb,5.15,16,8,100,64,,ours\n")
    assert main(["fleet.csv", "--config-dir", "mine", "--inline", "--output", "out"], LOCKS) == 0
    runs = pl.read_csv("out/runs.csv").filter(id="web/now/x1")
    assert runs["rb_visit_ns"].to_list() == [77]


def test_the_real_model_on_a_tiny_host() -> None:
    argv = [fleet("tiny,5.15,4,8,1000,32,"), "--inline", "--output", "out", "--horizon-s", "0.05", "--quiet"]
    assert main(argv) == 0
    (row,) = pl.read_csv("out/capacity.csv").to_dicts()
    assert (row["before_verdict"], row["after_verdict"], row["would_help"]) == ("ok", "ok", "not needed")
    assert row["before_memory_peak_bytes"] > 4 * 12 * 2048
    assert row["before_achieved_rate_per_s"] == pytest.approx(1000, rel=0.2)
    assert json.loads(json.dumps(row)) == row  # plain numbers and texts throughout
