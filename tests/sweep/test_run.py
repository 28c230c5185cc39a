"""Whole sweeps, from the command line to the folder: with a stand-in for the model, and with the model itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sweep import run as running
from sweep.cli import main
from sweep.command import exit_code
from sweep.compose import compose
from sweep.report.__main__ import main as make_report
from sweep.results import write_results
from sweep.run import run
from sweep.status import read
from tests.sweep import standin
from workers import MODEL_VERSION
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, Columns, ScenarioError
from workers.tables import complete_row

ROOT = Path(__file__).parents[2]
HEADER = "id,cpus,unmap_burst,burst_period_us,in_flight,policy,seed"
SEEDS = {"raise": standin.RAISES, "die": standin.DIES, "slow": standin.SLOW}
FILES = ["figures", "manifest.json", "map.svg", "report.html", "report.md"]
REPORT = {"figures", "report.html", "report.md"}
FILES += ["results.parquet", "status.json", "summary.csv", "summary.parquet"]
MODULE = """
import functools, runpy, sys
import sweep.run
from tests.sweep.standin import simulate
sweep.run.run = functools.partial(sweep.run.run, simulate=simulate)
runpy.run_module("sweep", run_name="__main__", alter_sys=False)
"""
"""``python -m sweep`` with the stand-in in place of the model."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder, and so a store, of the test's own."""
    monkeypatch.chdir(tmp_path)


def sweep_with(simulate: Any, *argv: str) -> int:
    """Without the report, but where that is asked for: most tests are not about it."""
    composed = compose(["report=false", *argv])
    assert composed is not None
    return run(composed.config, composed.library, list(argv), simulate)


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "results.parquet")


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def points(path: Path, *ids: str) -> str:
    """A points file of a row for each id; what an id begins with is what becomes of its row (SEEDS)."""
    policies, seeds = ("array", "list"), [SEEDS.get(re.sub(r"\W.*", "", name), 0) for name in ids]
    rows = [f"{name},{8 + i},4,1000,{16 + i},{policies[i % 2]},{seeds[i]}" for i, name in enumerate(ids)]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return f"points={path}"


@pytest.mark.usefixtures("ray_of_two")
def test_the_same_table_inline_and_on_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for executor in ("inline", "ray"):
        argv = ("+grid=smoke", f"executor={executor}", f"output={tmp_path / executor}", f"store={executor}_store")
        assert sweep_with(standin.simulate, *argv) == 0
        assert sorted(path.name for path in (tmp_path / executor).iterdir()) == sorted({*FILES} - REPORT)
        assert capsys.readouterr().out.splitlines()[-1] == f"results: {executor}"
    assert table(tmp_path / "inline").height == 12
    assert (tmp_path / "inline" / "results.parquet").read_bytes() == (tmp_path / "ray" / "results.parquet").read_bytes()


def test_points_come_back_in_order_and_completed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    argv = (points(tmp_path / "p.csv", "z", "007", "a"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 0
    rows = table(folder)
    assert rows.columns == [c.name for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)] + ["status", "error", "cell"]
    assert rows["id"].to_list() == ["z", "007", "a"]
    assert rows["policy"].to_list() == ["array", "list", "array"]
    wanted = complete_row(
        {"id": "007", "cpus": 9, "unmap_burst": 4, "burst_period_us": 1000, "in_flight": 17, "policy": "list"}
    )
    assert {name: rows[name][1] for name in wanted} == wanted
    assert rows["softirq_residency_max_ms"].to_list() == [8.0016, 9.0017, 10.0018]


def test_a_folder_s_name_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "out [1] *"
    argv = (points(tmp_path / "p.csv", "z", "a"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 0
    assert pl.read_parquet(folder / "results.parquet", glob=False)["id"].to_list() == ["z", "a"]


def never(scenarios: Columns) -> Columns:
    raise AssertionError("it was run before")


def test_once_more_into_the_same_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = (points(tmp_path / "p.csv", "a", "b"), f"output={tmp_path / 'out'}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 0
    before = (tmp_path / "out" / "results.parquet").read_bytes()
    assert "0 of 2 points re-used, 2 to run" in capsys.readouterr().err
    assert sweep_with(never, *argv) == 0
    assert "2 of 2 points re-used, 0 to run" in capsys.readouterr().err
    assert (tmp_path / "out" / "results.parquet").read_bytes() == before


def test_other_sweeps_re_use_what_they_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_with(standin.simulate, "+grid=smoke", "grid.cpus=[16,64]", "executor=inline") == 0
    ran: list[int] = []

    def counting(scenarios: Columns) -> Columns:
        ran.extend(scenarios["cpus"].tolist())
        return standin.simulate(scenarios)

    assert sweep_with(counting, "+grid=smoke", "grid.cpus=[8,64]", "executor=inline", "output=out") == 0
    assert ran == [8] * 6
    assert "6 of 12 points re-used, 6 to run" in capsys.readouterr().err
    assert table(tmp_path / "out")["cpus"].to_list() == [8] * 6 + [64] * 6


def test_what_gets_lost_while_it_runs_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where another sweep compacts the store, or a disk fails, between the last chunk and the table."""
    ran: list[int] = []

    def counting(scenarios: Columns) -> Columns:
        ran.extend(scenarios["cpus"].tolist())
        return standin.simulate(scenarios)

    def losing(plan: Any, store: Any, folder: Any, answer: Any) -> Any:
        if len(ran) < 24:
            for name, _ in store.storage.names(f"{MODEL_VERSION}/"):
                store.storage.delete(name)
        return write_results(plan, store, folder, answer)

    monkeypatch.setattr(running, "write_results", losing)
    assert sweep_with(counting, "+grid=smoke", "executor=inline", "output=out") == 0
    assert len(ran) == 24
    assert table(tmp_path / "out")["status"].to_list() == ["ok"] * 12


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_what_runs_again_is_more_to_do_and_none_of_it_re_used(
    seeds: list[int], times: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all or half of the sweep is in the store, and the store loses what it has."""
    left = times

    def losing(plan: Any, store: Any, folder: Any, answer: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            for name, _ in store.storage.names(f"{MODEL_VERSION}/"):
                store.storage.delete(name)
        return write_results(plan, store, folder, answer)

    assert sweep_with(standin.simulate, "+grid=smoke", "executor=inline") == 0
    capsys.readouterr()
    monkeypatch.setattr(running, "write_results", losing)
    assert sweep_with(standin.simulate, "+grid=smoke", f"grid.seed={seeds}", "executor=inline", "output=out") == 0
    done = 12 * len(seeds) * (1 + times)
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(rf"{done} of {done} scenarios in .* s, 12 re-used", last)
    assert manifest(Path("out"))["reused"] == 12
    ended = read("out")
    assert (ended["state"], ended["work"]) == ("complete", 1.0)


def test_a_store_that_loses_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(plan: Any, store: Any, folder: Any, answer: Any) -> Any:
        for name, _ in store.storage.names():
            store.storage.delete(name)
        return write_results(plan, store, folder, answer)

    monkeypatch.setattr(running, "write_results", losing)
    with pytest.raises(ScenarioError, match="go missing while it is used"):
        sweep_with(standin.simulate, "+grid=smoke", "executor=inline")


def test_it_says_why_points_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_with(standin.simulate, "+grid=smoke", "executor=inline", "output=a") == 0
    capsys.readouterr()
    argv = ("+grid=smoke", "grid.cpus=[16,64,128]", "host.rb_visit_ns=80", "executor=inline", "output=b")
    assert sweep_with(standin.simulate, *argv) == 0
    told = "0 of 18 points re-used, 18 to run (beside the last run of smoke: 6 not in it, 12 with another"
    assert f"{told} rb_visit_ns)" in capsys.readouterr().err.splitlines()


def test_equal_content_runs_once_and_gives_a_row_for_each_id(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "id,cpus,unmap_burst,burst_period_us,in_flight\nz,8,4,1000,16\na,9,4,1000,16\nb,8,4,1000,16\n"
    )
    ran: list[int] = []

    def counting(scenarios: Columns) -> Columns:
        ran.extend(scenarios["cpus"].tolist())
        return standin.simulate(scenarios)

    assert sweep_with(counting, "points=p.csv", "output=out", "executor=inline") == 0
    assert sorted(ran) == [8, 9]
    assert table(tmp_path / "out")["id"].to_list() == ["z", "a", "b"]
    assert table(tmp_path / "out")["softirq_residency_max_ms"].to_list() == [8.0016, 9.0016, 8.0016]


def test_another_sweep_s_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert sweep_with(standin.simulate, points(tmp_path / "p.csv", "a"), f"output={folder}", "executor=inline") == 0
    before = (folder / "results.parquet").read_bytes()
    capsys.readouterr()
    argv = [points(tmp_path / "p.csv", "b"), f"output={folder}", "executor=inline"]
    assert exit_code("sweep", main, argv) == 2
    assert "holds something else than this sweep" in capsys.readouterr().err
    assert (folder / "results.parquet").read_bytes() == before


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sweep_with(standin.simulate, "+grid=smoke", "executor=inline") == 0
    assert sweep_with(standin.simulate, points(tmp_path / "my points.csv", "a"), "executor=inline") == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["my_points", "smoke", "store"]


def test_a_failure_is_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    argv = (points(tmp_path / "p.csv", "a", "raise", "b"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 1
    rows = table(folder)
    assert rows["id"].to_list() == ["a", "raise", "b"]
    assert rows["status"].to_list() == ["ok", "failed", "ok"]
    assert rows["error"].to_list() == [None, "ValueError: no such machine", None]
    assert rows["verdict"].to_list() == ["ok", None, "ok"]
    said = capsys.readouterr()
    assert "failed: raise (row 2): ValueError: no such machine" in said.err
    assert said.out.startswith("3 scenarios (1 without a verdict);")
    written = manifest(folder)
    assert written["state"] == "failed points"
    assert written["failed"] == 1
    assert written["first_failed"] == [{"row": 1, "id": "raise", "error": "ValueError: no such machine"}]
    assert sweep_with(never, *argv) == 1  # what the model raised is never run again
    assert read(str(folder))["failed"] == 1
    assert "3 re-used, 1 failed\n" in capsys.readouterr().err


def test_no_id_commands_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = (points(tmp_path / "p.csv", "raise \x1b[31m"), f"output={tmp_path / 'out'}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 1
    assert "failed: raise \ufffd[31m (row 1): ValueError" in capsys.readouterr().err
    assert table(tmp_path / "out")["id"].to_list() == ["raise \x1b[31m"]


def test_all_points_failed(tmp_path: Path) -> None:
    argv = (points(tmp_path / "p.csv", "raise"), f"output={tmp_path / 'out'}", "executor=inline")
    assert sweep_with(standin.simulate, *argv) == 1
    assert table(tmp_path / "out")["status"].to_list() == ["failed"]


def test_where_all_fail_nothing_of_an_earlier_run_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where the same sweep has another store, and no memory."""

    def failing(scenarios: Columns) -> Columns:
        raise MemoryError

    argv = ("+grid=smoke", "executor=inline", "output=out", "report=true")
    assert sweep_with(standin.simulate, *argv, "store=a") == 0
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert sweep_with(failing, *argv, "store=b") == 1
    said = capsys.readouterr()
    assert said.out.startswith("12 scenarios (12 without a verdict);")
    assert said.out.endswith("report: out/report.html\n")
    after = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert {path.name for path in after} == {*FILES} - {"figures"}
    assert not [path for path, data in after.items() if before.get(path) == data]


def test_what_the_manifest_says(tmp_path: Path) -> None:
    assert (
        sweep_with(standin.simulate, "+grid=smoke", "grid.seed=[3,5]", "executor=inline", f"output={tmp_path / 'o'}")
        == 0
    )
    written = manifest(tmp_path / "o")
    assert written["state"] == "complete"
    assert written["scenarios"] == 24
    assert set(written["predicted"]) == set(written["actual"]) == {"core_s", "wall_s", "peak_mib"}
    assert written["actual"]["peak_mib"] > 0
    assert written["seeds"] == [3, 5]
    assert written["config"]["grid"]["cpus"] == [16, 64]
    assert written["policies"]["list"]["depot_kind"] == "list"
    assert set(written["versions"]) >= {"farm", "model", "python", "numpy", "polars", "ray"}
    stages = {"plan", "look_up", "start", "run", "join", "report", "tidy"}
    assert set(written["durations_s"]) == stages | {"model", "total"}


def test_quiet_it_says_where_the_results_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("quiet=true", "executor=inline", "output=out")
    assert sweep_with(standin.simulate, "+grid=smoke", *argv) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("results: out\n", "")
    assert sweep_with(standin.simulate, points(tmp_path / "p.csv", "a", "raise"), *argv[:2], "output=other") == 1
    said = capsys.readouterr()
    assert said.out == "results: other\n"
    assert said.err.startswith("failed: raise (row 2): ValueError: no such machine\n")


def test_the_report_can_be_made_again(tmp_path: Path) -> None:
    assert sweep_with(standin.simulate, "+grid=smoke", "executor=inline", "output=out", "report=true") == 0
    assert make_report(["out", "--output", "again"]) == 0
    names = ["report.html", "report.md", *(f"figures/{path.name}" for path in Path("out", "figures").iterdir())]
    assert len(names) > 2
    for name in names:
        assert Path("again", name).read_bytes() == Path("out", name).read_bytes()


def test_a_report_that_fails_costs_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(results: Any) -> Any:
        raise ZeroDivisionError("a\nmistake")

    monkeypatch.setattr(running, "document", mistaken)
    argv = ("+grid=smoke", "executor=inline", "output=out", "quiet=true", "report=true")
    assert sweep_with(standin.simulate, *argv) == 0
    said = capsys.readouterr()
    assert said.out == "results: out\n"
    assert said.err == (
        "report: could not be written (ZeroDivisionError: a mistake); python -m sweep.report makes it again\n"
    )
    assert table(tmp_path / "out").height == 12
    assert manifest(tmp_path / "out")["state"] == "complete"


def test_interrupted_in_this_process(tmp_path: Path) -> None:
    def stopped(scenarios: Columns) -> Columns:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep_with(stopped, "+grid=smoke", "executor=inline", f"output={tmp_path / 'out'}")
    assert manifest(tmp_path / "out")["state"] == "interrupted"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "status.json"]
    assert read(str(tmp_path / "out"))["state"] == "interrupted"


def test_a_table_that_finds_the_disk_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "write_results", full)
    monkeypatch.setattr("sweep.run.run.__defaults__", (standin.simulate,))
    assert exit_code("sweep", main, ["+grid=smoke", "executor=inline", f"output={tmp_path / 'out'}"]) == 2
    assert capsys.readouterr().err.endswith(
        f"sweep: output: {tmp_path / 'out'} cannot be written (No space left on device)\n"
    )
    assert manifest(tmp_path / "out")["state"] == "stopped by an error"


def test_inline_never_imports_ray(tmp_path: Path) -> None:
    code = MODULE.partition("runpy.run_module")[0]
    code += "import sweep.cli\nassert sweep.cli.main(sys.argv[1:]) == 0\nassert 'ray' not in sys.modules\n"
    argv = [sys.executable, "-c", code, "+grid=smoke", "executor=inline"]
    argv += [f"output={tmp_path / 'out'}", f"store={tmp_path / 'store'}"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=120)


def test_the_model_on_a_ray_of_its_own(tmp_path: Path) -> None:
    """End to end with nothing replaced, HOME read-only, and no secret left behind."""
    token = uuid.uuid4().hex * 2
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"HOME": "/proc", "PYTHONPATH": str(ROOT), "RAY_AUTH_TOKEN": token}
    argv = [sys.executable, "-m", "sweep", "+grid=smoke", "grid.horizon_s=0.1", "output=out"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "report: out/report.html"
    assert re.fullmatch(
        r"0 of 12 points re-used, 12 to run\n(\d+/12 scenarios.*\n)*12 of 12 scenarios in .* s\n", done.stderr
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "results"]
    rows = table(tmp_path / "out")
    assert rows.height == 12
    assert rows["ops_completed"].min() > 0  # type: ignore[operator]
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        assert token.encode() not in path.read_bytes()
