"""What a dry run says, against what the sweep then does; and that it leaves nothing behind."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sweep.plan
from sweep import dry_run as dry
from sweep.compose import compose
from sweep.dry_run import Size, dry_run, to_run
from sweep.run import plan_of, run
from sweep.storage import open_storage
from sweep.store import Store
from tests.sweep import standin
from workers.schema import Columns, ScenarioError
from workers.task import estimate_seconds

GRID = (
    "+grid=smoke",
    "grid.cpus={start: 8, stop: 512, num: 64}",
    "grid.seed=[1,2,3]",
    "executor=inline",
    "report=false",
)
ROWS = 64 * 3 * 3 * 2


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder, and so a store, of the test's own."""
    monkeypatch.chdir(tmp_path)


def composed(*argv: str) -> Any:
    found = compose([*GRID, *argv])
    assert found is not None
    return found


def dried(capsys: pytest.CaptureFixture[str], *argv: str, simulate: Any = standin.simulate) -> dict[str, str]:
    """The lines that a dry run prints, by their first word."""
    config = composed(*argv)
    assert dry_run(config.config, config.library, simulate) == 0
    return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())


def test_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    said = dried(capsys, "output=out")
    assert list(Path().iterdir()) == []
    assert said["points"] == f"{ROWS} (0 in the store, {ROWS} to run)"
    assert list(said) == ["points", "chunks", "core-hours", "wall", "memory", "disk", "calibration"]


def test_it_says_what_the_sweep_does(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry, "SAMPLE_S", math.inf)
    said = dried(capsys, "output=out")
    config = composed("output=out")
    assert run(config.config, config.library, [], standin.simulate) == 0
    tasks = json.loads(Path("out/manifest.json").read_text())["tasks"]
    assert int(said["chunks"]) == tasks["chunks"]
    mib = float(re.findall(r"table ([\d.]+)", said["disk"])[0])
    assert mib == pytest.approx(Path("out/results.parquet").stat().st_size / 2**20, rel=0.5)


def test_what_the_store_has_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("grid.seed=[1]")
    assert run(config.config, config.library, [], standin.simulate) == 0
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    assert dried(capsys)["points"] == f"{ROWS} ({ROWS // 3} in the store, {ROWS * 2 // 3} to run)"
    said = dried(capsys, "grid.seed=[1]")
    assert said == {"points": f"{ROWS // 3} ({ROWS // 3} in the store, 0 to run)", "nothing": "is left to run"}
    assert sorted(Path().rglob("*")) == before


def test_equal_content_runs_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it lies in another window of the plan."""
    rows = [f"{name},{cpus},4,1000,16" for name, cpus in zip("abcdefg", (8, 9, 8, 9, 9, 7, 8), strict=True)]
    Path("p.csv").write_text("\n".join(["id,cpus,unmap_burst,burst_period_us,in_flight", *rows]) + "\n")
    monkeypatch.setattr(sweep.plan, "WINDOW_ROWS", 3)
    found = compose(["points=p.csv", "executor=inline", "output=out", "report=false"])
    assert found is not None
    assert dry_run(found.config, found.library, standin.simulate) == 0
    assert "points       7 (0 in the store, 3 to run, 4 equal to these)" in capsys.readouterr().out
    assert run(found.config, found.library, [], standin.simulate) == 0
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "4 of 7 points re-used, 3 to run"
    assert last.startswith("7 of 7 scenarios in ")
    assert last.endswith(", 4 re-used")
    assert dry_run(found.config, found.library, standin.simulate) == 0
    assert "points       7 (7 in the store, 0 to run)" in capsys.readouterr().out


def test_a_damaged_chunk_counts_as_missing_and_stays(capsys: pytest.CaptureFixture[str]) -> None:
    config = composed()
    assert run(config.config, config.library, [], standin.simulate) == 0
    chunks = [path for path in Path("results/store").rglob("*.parquet") if len(path.parent.name) == 2]
    for chunk in chunks:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    capsys.readouterr()
    assert dried(capsys)["points"] == f"{ROWS} (0 in the store, {ROWS} to run)"
    assert chunks
    assert all(chunk.exists() for chunk in chunks)


def test_the_sample_has_the_costs_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry, "SAMPLE_S", math.inf)
    config = composed()
    plan = plan_of(config.config, config.library)
    found = to_run(plan, Store(open_storage("store", "store")), 1)
    assert len(found.sample) == dry.SAMPLE_ROWS
    every = estimate_seconds(plan.rows(np.arange(ROWS)))
    assert every[found.sample].mean() == pytest.approx(every.mean(), rel=0.02)
    assert found.estimated_s == pytest.approx(every.sum())


def test_of_a_large_plan_a_part_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed()
    plan = plan_of(config.config, config.library)
    whole = to_run(plan, Store(open_storage("store", "store")), 1)
    asked: list[int] = []
    rows = type(plan).rows
    monkeypatch.setattr(type(plan), "rows", lambda self, numbers: asked.extend(numbers.tolist()) or rows(self, numbers))
    for module in (dry, sweep.plan):
        monkeypatch.setattr(module, "WINDOW_ROWS", 32)
    monkeypatch.setattr(dry, "MOST_WINDOWS", 12)
    found = to_run(plan, Store(open_storage("store", "store")), 1)
    assert len(set(asked)) <= 12 * 32 + dry.SAMPLE_ROWS < ROWS
    assert (found.rows, found.counted, whole.counted) == (ROWS, False, True)
    assert found.estimated_s == pytest.approx(whole.estimated_s, rel=0.1)
    assert dried(capsys)["points"] == f"{ROWS} (about 0 in the store, about {ROWS} to run)"


def test_a_dear_sample_runs_a_part_of_each_horizon_and_then_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    config = composed("grid.horizon_s=1000")
    plan = plan_of(config.config, config.library)
    monkeypatch.setattr(dry, "SAMPLE_S", math.inf)
    whole = to_run(plan, Store(open_storage("store", "store")), 1)
    of_rows_s = estimate_seconds(plan.rows(whole.sample)).mean()
    monkeypatch.setattr(dry, "SAMPLE_S", 0.5 * dry.SAMPLE_ROWS * of_rows_s)
    half = to_run(plan, Store(open_storage("store", "store")), 1)
    assert len(half.sample) == pytest.approx(dry.SAMPLE_ROWS, abs=1)
    assert half.share == pytest.approx(0.5)
    monkeypatch.setattr(dry, "SAMPLE_S", 3.1 * dry.LEAST_SHARE * of_rows_s)
    parts = to_run(plan, Store(open_storage("store", "store")), 1)
    assert len(parts.sample) == 3
    assert parts.share == dry.LEAST_SHARE


def test_a_sample_whose_scenarios_share_no_run_costs_no_more_than_it_may() -> None:
    config = composed("grid.policy=[array,list_untrimmed,array_128mags,array_cpus]", "grid.iova_pages=[64]")
    plan = plan_of(config.config, config.library)
    found = to_run(plan, Store(open_storage("store", "store")), 1)
    sample = plan.rows(found.sample)
    seconds = estimate_seconds(sample | {"horizon_s": found.share * sample["horizon_s"]})
    assert 0.5 * dry.SAMPLE_S < seconds.sum() < 1.3 * dry.SAMPLE_S


def test_scenarios_that_raise_are_no_obstacle(capsys: pytest.CaptureFixture[str]) -> None:
    def raises(scenarios: Columns) -> Columns:
        raise ValueError("no such machine")

    assert "calibration" in dried(capsys, simulate=raises)


def test_refined_it_is_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert dried(capsys, "mode=refine")["points"].endswith("to run, all of them at most: refined, it runs a part)")


def test_what_a_sweep_would_refuse_is_refused() -> None:
    config = composed("mode=fine")
    with pytest.raises(ScenarioError, match="mode: 'fine' was given"):
        dry_run(config.config, config.library, standin.simulate)


def test_sizes_add_up() -> None:
    assert Size(100.0, 3.0).of(2, 10) == 230.0
