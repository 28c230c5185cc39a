"""Whole sweeps, from the command line to the folder: with a stand-in for the model, and with the model itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sweep import output
from sweep.cli import main
from sweep.compose import compose
from sweep.run import run
from tests.sweep import standin
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, Columns, complete_row
from workers.task import ChunkReport

ROOT = Path(__file__).parents[2]
HEADER = "id,cpus,unmap_burst,burst_period_us,in_flight,policy"
FILES = ["manifest.json", "map.svg", "results.parquet", "summary.csv", "summary.parquet"]
MODULE = """
import functools, runpy, sys
import sweep.run
from tests.sweep.standin import run_chunk
sweep.run.run = functools.partial(sweep.run.run, run_chunk=run_chunk)
runpy.run_module("sweep", run_name="__main__", alter_sys=False)
"""
"""``python -m sweep`` with the stand-in in place of the model."""


def sweep_with(run_chunk: Any, *argv: str) -> int:
    composed = compose(list(argv))
    assert composed is not None
    return run(composed.config, composed.library, list(argv), run_chunk)


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "results.parquet")


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def points(path: Path, *ids: str) -> str:
    rows = [f"{name},{8 + row},4,1000,{16 + row},{'list' if row % 2 else 'array'}" for row, name in enumerate(ids)]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return f"points={path}"


@pytest.mark.usefixtures("ray_of_two")
def test_the_same_table_inline_and_on_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for executor in ("inline", "ray"):
        argv = ("+grid=smoke", f"executor={executor}", f"output={tmp_path / executor}")
        assert sweep_with(standin.run_chunk, *argv) == 0
        assert sorted(path.name for path in (tmp_path / executor).iterdir()) == FILES
        assert "map.svg" in capsys.readouterr().out.splitlines()[-1]
    processes = "callback_count"
    inline, on_ray = table(tmp_path / "inline"), table(tmp_path / "ray")
    assert inline.height == 12
    assert_frame_equal(inline.drop(processes), on_ray.drop(processes))
    assert set(inline[processes]) == {os.getpid()}
    assert os.getpid() not in on_ray[processes]


def test_points_come_back_in_order_and_completed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    argv = (points(tmp_path / "p.csv", "z", "007", "a"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.run_chunk, *argv) == 0
    rows = table(folder)
    assert rows.columns == [c.name for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)]
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
    assert sweep_with(standin.run_chunk, *argv) == 0
    assert pl.read_parquet(folder / "results.parquet", glob=False)["id"].to_list() == ["z", "a"]


def test_once_more_into_a_folder_that_a_killed_run_left(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    argv = (points(tmp_path / "p.csv", "a", "b"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.run_chunk, *argv) == 0
    (folder / output.CHUNKS).mkdir()
    table(folder).write_parquet(folder / output.CHUNKS / "000000000001.parquet")
    assert sweep_with(standin.run_chunk, *argv) == 0
    assert table(folder)["id"].to_list() == ["a", "b"]


def test_another_sweep_s_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert sweep_with(standin.run_chunk, points(tmp_path / "p.csv", "a"), f"output={folder}", "executor=inline") == 0
    before = (folder / "results.parquet").read_bytes()
    capsys.readouterr()
    assert main([points(tmp_path / "p.csv", "b"), f"output={folder}", "executor=inline"]) == 2
    assert "holds something else than this sweep" in capsys.readouterr().err
    assert (folder / "results.parquet").read_bytes() == before


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sweep_with(standin.run_chunk, "+grid=smoke", "executor=inline") == 0
    assert sweep_with(standin.run_chunk, points(tmp_path / "my points.csv", "a"), "executor=inline") == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["my_points", "smoke"]


def test_failed_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    argv = (points(tmp_path / "p.csv", "a", "raise", "b"), f"output={folder}", "executor=inline")
    assert sweep_with(standin.run_chunk, *argv) == 1
    assert table(folder)["id"].to_list() == ["a", "b"]
    assert "failed: raise (row 2): ValueError: no such machine" in capsys.readouterr().err
    written = manifest(folder)
    assert written["state"] == "failed points"
    assert written["failed"] == [{"row": 1, "id": "raise", "error": "ValueError: no such machine"}]


def test_all_points_failed(tmp_path: Path) -> None:
    argv = (points(tmp_path / "p.csv", "raise"), f"output={tmp_path / 'out'}", "executor=inline")
    assert sweep_with(standin.run_chunk, *argv) == 1
    assert table(tmp_path / "out").height == 0


def test_what_the_manifest_says(tmp_path: Path) -> None:
    assert (
        sweep_with(standin.run_chunk, "+grid=smoke", "grid.seed=[3,5]", "executor=inline", f"output={tmp_path / 'o'}")
        == 0
    )
    written = manifest(tmp_path / "o")
    assert written["state"] == "complete"
    assert written["scenarios"] == 24
    assert written["seeds"] == [3, 5]
    assert written["config"]["grid"]["cpus"] == [16, 64]
    assert written["policies"]["list"]["depot_kind"] == "list"
    assert set(written["versions"]) >= {"farm", "model", "python", "numpy", "polars", "ray"}
    assert set(written["durations_s"]) == {"expand", "start", "run", "report", "model", "total"}


def test_interrupted_in_this_process(tmp_path: Path) -> None:
    def stopped(scenarios: Columns, path: str) -> ChunkReport:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep_with(stopped, "+grid=smoke", "executor=inline", f"output={tmp_path / 'out'}")
    assert manifest(tmp_path / "out")["state"] == "interrupted"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_a_disk_that_fills_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "join_chunks", full)
    monkeypatch.setattr("sweep.run.run.__defaults__", (standin.run_chunk,))
    assert main(["+grid=smoke", "executor=inline", f"output={tmp_path / 'out'}"]) == 2
    assert capsys.readouterr().err.endswith(
        f"sweep: output: {tmp_path / 'out'} cannot be written (No space left on device)\n"
    )
    assert manifest(tmp_path / "out")["state"] == "stopped by an error"


def test_inline_never_imports_ray(tmp_path: Path) -> None:
    code = MODULE.partition("runpy.run_module")[0]
    code += "import sweep.cli\nassert sweep.cli.main(sys.argv[1:]) == 0\nassert 'ray' not in sys.modules\n"
    argv = [sys.executable, "-c", code, "+grid=smoke", "executor=inline", f"output={tmp_path / 'out'}"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=120)


def marked(mark: str) -> list[str]:
    """Command lines of the processes that inherited the environment variable FARM_TEST=mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"FARM_TEST={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # gone, or a zombie
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_from_outside_it_stops_its_ray(number: signal.Signals, tmp_path: Path) -> None:
    folder, mark = tmp_path / "out", uuid.uuid4().hex
    argv = [sys.executable, "-c", MODULE, points(tmp_path / "p.csv", "slow"), f"output={folder}", "cluster.cpus=1"]
    environment = os.environ | {"FARM_TEST": mark, "RAY_ADDRESS": ""}
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    waited_until = time.monotonic() + 120
    while not (folder / "manifest.json").exists() and process.poll() is None and time.monotonic() < waited_until:
        time.sleep(0.1)
    assert any("raylet" in command for command in marked(mark))
    os.killpg(process.pid, signal.SIGINT) if number == signal.SIGINT else process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "sweep: interrupted"
    while marked(mark) and time.monotonic() < waited_until:
        time.sleep(0.1)
    assert marked(mark) == []
    assert manifest(folder)["state"] == "interrupted"


def test_the_model_on_a_ray_of_its_own(tmp_path: Path) -> None:
    """End to end with nothing replaced, HOME read-only, and no secret left behind."""
    token = uuid.uuid4().hex * 2
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {"HOME": "/proc", "PYTHONPATH": str(ROOT), "RAY_AUTH_TOKEN": token}
    argv = [sys.executable, "-m", "sweep", "+grid=smoke", "grid.horizon_s=0.1", "output=out"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "map: out/map.svg"
    assert re.fullmatch(
        r"12 scenarios, \d+ chunks, \d+ CPUs\n(\d+/12 scenarios .*\n)*12 of 12 scenarios in \d+ s\n", done.stderr
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    rows = table(tmp_path / "out")
    assert rows.height == 12
    assert rows["ops_completed"].min() > 0  # type: ignore[operator]
    for path in (tmp_path / "out").iterdir():
        assert token.encode() not in path.read_bytes()
