"""Whole refined sweeps with a stand-in for the model: what is run, what is implied, and what an interruption costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sweep import run as running
from sweep.compose import compose
from sweep.refine import search
from sweep.results import write_results
from sweep.rounds import Refined
from sweep.run import run
from sweep.status import read
from tests.sweep import standin
from workers.jiffies import rearm_period_ms
from workers.schema import Columns, ScenarioError

GRID = (
    "+grid=smoke",
    "grid.cpus=[8,16,32,48,64,96,128,192,256]",
    "grid.burst_period_us=null",
    "grid.unmap_rate_per_s={start: 1000, stop: 1000000, num: 13, scale: log}",
    "executor=inline",
    "report=false",
)
CELLS = 3 * 9 * 13 * 2


class Model:
    """Locks up where many CPUs unmap fast, chains below that; counts what it runs, and stops where it is told to."""

    def __init__(self, stop_after: int = 1 << 30, fails: int = -1) -> None:
        self.rows, self.stop_after, self.fails = 0, stop_after, fails

    def __call__(self, scenarios: Columns) -> Columns:
        if self.rows >= self.stop_after:
            raise KeyboardInterrupt
        if (scenarios["cpus"] == self.fails).any():
            raise ValueError("no such machine")
        self.rows += len(scenarios["cpus"])
        results = standin.simulate(scenarios)
        load = np.log(scenarios["cpus"] * scenarios["unmap_burst"] / scenarios["burst_period_us"])
        load -= np.where(scenarios["depot_kind"] == "list", 2.0, 0.0)
        residency_ms = rearm_period_ms(scenarios["hz"]) * np.exp(load - 1.0)
        results["softirq_residency_max_ms"] = residency_ms
        results["verdict"] = np.where(load > 2, "soft_lockup", np.where(load > 1, "chained", "ok")).astype(object)
        return results


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a store of the test's own; its grid counts as a large one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "SMALL_CELLS", 0)


def swept(model: Any, *argv: str) -> int:
    composed = compose([*GRID, *argv])
    assert composed is not None
    return run(composed.config, composed.library, list(argv), model)


def manifest(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "manifest.json").read_text())


def test_refined_and_full_agree(capsys: pytest.CaptureFixture[str]) -> None:
    model = Model()
    assert swept(model, "mode=refine", "output=refined") == 0
    told = capsys.readouterr()
    assert told.err.startswith(f"0 of {CELLS} cells in the store; of the others some are run\n")
    assert told.out.startswith(f"{CELLS} scenarios; before = array, after = list")
    refined = pl.read_parquet("refined/results.parquet")
    ran = refined.filter(cell="run")
    assert ran.height == model.rows < 0.6 * CELLS
    assert swept(Model(), "output=full", "store=another") == 0
    full = pl.read_parquet("full/results.parquet")
    assert full["cell"].unique().to_list() == ["run"]
    assert full.drop("cell").equals(refined.drop("cell")) is False
    assert full["id"].equals(refined["id"])
    assert (full["verdict"] == refined["verdict"]).mean() > 0.97  # type: ignore[operator]
    assert full.filter(refined["cell"] == "run").equals(ran)
    implied = refined.filter(cell="implied")
    assert implied["verdict"].null_count() == 0
    rest = refined.columns[refined.columns.index("verdict") + 1 : -1]
    assert implied.select(rest).null_count().row(0) == (implied.height,) * len(rest)


def test_what_the_manifest_says() -> None:
    assert swept(Model(), "mode=refine", "output=out") == 0
    written, table = manifest("out"), pl.read_parquet("out/results.parquet")
    assert written["mode"] == "refine"
    assert written["cells"] == {name: table.filter(cell=name).height for name in ("run", "implied", "unknown")}
    assert written["refinement"]["rounds"] > 1
    assert written["refinement"]["audited"] > 0


def test_interrupted_and_started_again_it_asks_for_the_same() -> None:
    whole = Model()
    assert swept(whole, "mode=refine", "output=whole", "store=undisturbed") == 0
    ran = 0
    for stop_after in (1, 150):
        model = Model(stop_after)
        with pytest.raises(KeyboardInterrupt):
            swept(model, "mode=refine", "output=out")
        ran += model.rows
    last = Model()
    assert swept(last, "mode=refine", "output=out") == 0
    assert ran + last.rows == whole.rows
    assert last.rows > 0
    assert manifest("out")["reused"] == ran
    assert Path("out/results.parquet").read_bytes() == Path("whole/results.parquet").read_bytes()


def test_what_a_full_sweep_has_done_is_not_run_again() -> None:
    assert swept(Model(), "output=full") == 0
    model = Model()
    assert swept(model, "mode=refine", "output=refined") == 0
    assert model.rows == 0


@pytest.mark.parametrize("mode", ["mode=full", "mode=refine"])
def test_lockups_of_re_used_rows_are_counted_at_the_end(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(Model(stop_after=1), mode, "output=out", "grid.seed=[0,1]")  # a part is in the store
    for _ in ("a part of it", "all of it"):
        capsys.readouterr()
        assert swept(Model(), mode, "output=out", "grid.seed=[0,1]") == 0
        (last,) = (line for line in capsys.readouterr().err.splitlines() if " scenarios in " in line)
        table = pl.read_parquet("out/results.parquet").filter(cell="run")
        locked = table.filter(verdict="soft_lockup").height
        assert manifest("out")["reused"] > 0
        assert last.startswith(f"{table.height} of {table.height} scenarios in ")
        assert last.endswith(f", {manifest('out')['reused']} re-used, {locked} lock up")
    assert manifest("out")["reused"] == table.height


def test_rounds_that_the_store_loses_meanwhile_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []

    def losing(plan: Any, store: Any, folder: Any, answer: Any) -> Any:
        if not lost:
            lost.extend(name for name, _ in store.storage.names())
            for name in lost:
                store.storage.delete(name)
        return write_results(plan, store, folder, answer)

    model = Model()
    assert swept(model, "mode=refine", "output=whole", "store=undisturbed") == 0
    monkeypatch.setattr(running, "write_results", losing)
    again = Model()
    assert swept(again, "mode=refine", "output=out") == 0
    assert again.rows == 2 * model.rows
    assert Path("out/results.parquet").read_bytes() == Path("whole/results.parquet").read_bytes()


def test_what_is_lost_of_a_round_before_it_is_read_is_more_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    find, lost = Refined._findings, []

    def losing(refined: Refined, numbers: np.ndarray, chunks: Any) -> Any:
        if not lost:
            lost.extend(name for name, _ in chunks.store.storage.names())
            chunks.store.storage.delete(lost[-1])
        return find(refined, numbers, chunks)

    monkeypatch.setattr(Refined, "_findings", losing)
    monkeypatch.setattr("sweep.execution.chunks.FEWEST_ROWS", 8)
    monkeypatch.setattr("sweep.execution.chunks.TARGET_S", 1e-9)
    model = Model()
    assert swept(model, "mode=refine", "output=out") == 0
    assert len(lost) > 1
    assert manifest("out")["reused"] == 0
    assert read("out")["total"] == read("out")["done"] == model.rows > manifest("out")["cells"]["run"]


def test_failures_are_rows_and_the_others_are_found() -> None:
    assert swept(Model(fails=64), "mode=refine", "output=out") == 1
    table = pl.read_parquet("out/results.parquet")
    failed = table.filter(status="failed")
    assert set(failed["cpus"]) == {64}
    assert set(failed["cell"]) == {"run"}
    assert failed["verdict"].null_count() == failed.height
    assert table.filter(pl.col("cpus") != 64)["verdict"].null_count() == 0


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["+grid=smoke", "mode=fine"], "mode: 'fine' was given; allowed are full, refine"),
        (["points=p.csv", "mode=refine"], "mode: refine was given beside points; only a grid"),
    ],
)
def test_bad_modes(argv: list[str], told: str) -> None:
    Path("p.csv").write_text("id,cpus,unmap_burst,burst_period_us,in_flight\na,8,4,1000,16\n")
    composed = compose(argv)
    assert composed is not None
    with pytest.raises(ScenarioError, match=told):
        run(composed.config, composed.library, argv, Model())
    assert [path.name for path in Path().iterdir()] == ["p.csv"]
