"""Whole sweeps with a baseline: exit codes, files, refusals. With a stand-in for the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sweep import cli
from sweep.baseline.file import read
from sweep.baseline.file import text as file_text
from sweep.command import exit_code
from sweep.compose import compose
from sweep.run import run
from tests.sweep import standin
from tests.sweep.baseline.tables import baseline, cell
from workers.schema import Columns, ScenarioError

GRID = ("+grid=smoke", "grid.iova_pages=[1]", "executor=inline", "report=false")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder, and so baselines, of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep_with(simulate: Any, output: str, *argv: str) -> int:
    given = [*GRID, f"output={output}", f"store={output}-store", *argv]
    composed = compose(given)
    assert composed is not None
    return run(composed.config, composed.library, ["python", "-m", "sweep", *given], simulate)


def slower(scenarios: Columns) -> Columns:
    """What moves the list of 64 CPUs only."""
    results = standin.simulate(scenarios)
    late = (scenarios["cpus"] == 64) & (scenarios["policy"] == "list")
    results["softirq_residency_max_ms"] = results["softirq_residency_max_ms"] * (1 + late)
    return results


def raising(scenarios: Columns) -> Columns:
    """It cannot do 64 CPUs."""
    if (scenarios["cpus"] == 64).any():
        raise ValueError("no such machine")
    return standin.simulate(scenarios)


def test_update_then_check(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    calm = _calm(standin.simulate)
    assert sweep_with(calm, "a", "baseline=update") == 0
    assert "baseline smoke: the first one, 4 lines" in capsys.readouterr().out
    kept = (here / "results/baselines/smoke.json").read_bytes()
    assert sweep_with(calm, "b", "baseline=check") == 0
    assert "baseline smoke: nothing moved on 4 lines" in capsys.readouterr().out
    assert "nothing moved" in (here / "b/baseline.md").read_text()
    assert sweep_with(_calm(slower), "c", "baseline=check", "quiet=true") == 3
    said = capsys.readouterr().out
    assert "baseline smoke: 1 of 4 lines moved, 1 for the worse" in said
    assert "list, 1 page, 64 CPUs: longest safe stay in the softirq" in said
    assert "if it is meant: python -m sweep +grid=smoke 'grid.iova_pages=[1]'" in said
    assert "baseline=update" in said
    suite = ElementTree.fromstring((here / "c/baseline.xml").read_bytes())
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    assert (here / "results/baselines/smoke.json").read_bytes() == kept
    assert json.loads((here / "c/manifest.json").read_text())["state"] == "complete"
    assert sweep_with(_calm(slower), "d", "baseline=update") == 0
    assert "1 of 4 lines moved" in capsys.readouterr().out
    assert sweep_with(_calm(slower), "e", "baseline=check") == 0


def test_what_to_do_if_it_is_meant_is_an_update_however_the_check_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calm = _calm(standin.simulate)
    assert sweep_with(calm, "a", "baseline=update") == 0
    assert sweep_with(_calm(slower), "b", "++baseline=check") == 3
    said = capsys.readouterr().out
    assert said.rpartition("if it is meant: ")[2].partition("\n")[0].endswith(" baseline=update")


@pytest.mark.parametrize("argv", [["baseline=update"], []])
def test_nothing_of_an_earlier_check_is_left(argv: list[str], here: Path) -> None:
    assert sweep_with(standin.simulate, "a", "baseline=update") == 0
    assert sweep_with(raising, "b", "baseline=check") == 3
    assert (here / "b/baseline.xml").exists()
    assert sweep_with(raising, "b", *argv) == 1
    assert sorted(path.name for path in (here / "b").glob("baseline.*")) == []


def _calm(simulate: Any) -> Any:
    """With stays as the stand-in gives them, but below the re-arm period."""

    def scaled(scenarios: Columns) -> Columns:
        results = simulate(scenarios)
        results["softirq_residency_max_ms"] = results["softirq_residency_max_ms"] / 100
        return results

    return scaled


def test_new_failures_are_a_move_and_known_ones_are_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_with(standin.simulate, "a", "baseline=update") == 0
    assert sweep_with(raising, "b", "baseline=check") == 3
    assert "64 CPUs and 1 other line: fails at 10k unmaps/s" in capsys.readouterr().out
    assert sweep_with(raising, "c", "baseline=update") == 1
    assert sweep_with(raising, "d", "baseline=check") == 1
    assert "nothing moved" in capsys.readouterr().out


def test_an_update_keeps_the_tolerances_that_somebody_chose(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_with(standin.simulate, "a", "baseline=update", "baselines=kept [1]") == 0
    path = here / "kept [1]" / "smoke.json"
    path.write_text(path.read_text().replace('"memory": 0.01', '"memory": 0.2'))
    assert sweep_with(standin.simulate, "b", "baseline=update", "baselines=kept [1]") == 0
    assert read(path).tolerance["memory"] == 0.2
    path.write_text("damaged")
    capsys.readouterr()
    assert sweep_with(standin.simulate, "c", "baseline=update", "baselines=kept [1]") == 0
    said = capsys.readouterr().out
    assert " lines, in place of one that could not be read" in said
    assert "(it is no JSON from line 1 on)" in said
    assert read(path).tolerance["memory"] == 0.01


def test_a_part_of_the_grid_names_the_lines_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_with(standin.simulate, "a", "baseline=update") == 0
    assert sweep_with(standin.simulate, "b", "baseline=check", "grid.cpus=[16,32]") == 3
    said = capsys.readouterr().out
    assert "in the baseline only: array, 1 page, 64 CPUs" in said
    assert "not in the baseline: list, 1 page, 32 CPUs" in said


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["baseline=chekc"], "baseline: 'chekc' was given; allowed are check, update"),
        (["baseline=check", "baselines=none"], "baseline: none/smoke.json is not there; baseline=update writes it"),
        (["baseline=check", "baselines=damaged"], "baseline: damaged/smoke.json is none that baseline=update writes"),
        (["baseline=check", "baselines=other"], "baseline: other/smoke.json is that of grid 'ci', not of 'smoke'"),
        (["baseline=check", "mode=refine"], "baseline: given with mode=refine; allowed is mode=full"),
        (["baseline=check", "dry_run=true"], "baseline: given beside dry_run=true"),
        (["baseline=check", "point=x"], "baseline: given beside point"),
        (["baseline=check", "grid.in_flight=256"], "smoke.json is of in_flight 512, these scenarios are of 256"),
        (["baseline=update", "grid.name=../up"], "grid.name: '../up' was given"),
        (["baseline=update", "baselines=s3://bucket/x"], "baselines: 's3://bucket/x' was given; allowed is the path"),
        (["baseline=update", "baselines="], "baselines: '' was given"),
        (["baseline=update", "baselines=damaged/smoke.json"], "damaged/smoke.json cannot be written"),
        (["baselines=x"], "baselines: given without baseline=check or baseline=update"),
    ],
)
def test_refused_before_anything_runs(
    argv: list[str], told: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("it ran")

    smoke = file_text(baseline(cell(3000, iova_pages="1", cpus=64, horizon_s=0.5), grid="smoke"))
    other = smoke.replace('"grid": "smoke"', '"grid": "ci"')
    for folder, text in (("results/baselines", smoke), ("damaged", "{}"), ("other", other)):
        (here / folder).mkdir(parents=True)
        (here / folder / "smoke.json").write_text(text)
    before = sorted(path for path in here.rglob("*"))
    capsys.readouterr()
    monkeypatch.setattr("sweep.run.compute", never)
    assert exit_code("sweep", cli.main, [*GRID, "output=b", *argv]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(path for path in here.rglob("*")) == before


def test_a_disk_that_cannot_be_written_at_the_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sweep.baseline.gate.LocalStorage.write", full)
    composed = compose([*GRID, "output=b", "baseline=update"])
    assert composed is not None
    with pytest.raises(ScenarioError, match="No space left on device"):
        run(composed.config, composed.library, [], standin.simulate)
    assert not (here / "results/baselines").exists()


def test_the_help_says_what_3_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "3 moved against the baseline" in said
    assert "baseline=update" in said
