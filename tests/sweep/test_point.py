"""One scenario again: found by id and by key, in a grid, a points file and a results folder; equal to its row."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sweep.compose import compose
from sweep.point import run_point
from sweep.run import plan_of, run
from sweep.store.keys import scenario_keys, to_hex
from tests.sweep import standin
from tests.sweep.frames import damaged
from workers.schema import Columns, ScenarioError

SMOKE = "+grid=smoke"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder, and so a store, of the test's own."""
    monkeypatch.chdir(tmp_path)


def series(scenario: Columns) -> Columns:
    """A time series that tells whose it is."""
    assert all(len(values) == 1 for values in scenario.values())
    return {"time_ms": np.arange(5.0), "iova_nodes": np.full(5, scenario["cpus"][0])}


def pointed(*argv: str) -> int:
    composed = compose(list(argv))
    assert composed is not None
    return run_point(composed.config, composed.library, standin.simulate, series, composed.overrides)


def swept(*argv: str) -> None:
    composed = compose([SMOKE, "executor=inline", "report=false", *argv])
    assert composed is not None
    assert run(composed.config, composed.library, list(argv), standin.simulate) == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that is at its end."""
    folder = tmp_path_factory.mktemp("finished")
    swept(f"output={folder / 'out'}", f"store={folder / 'store'}")
    return folder / "out"


@pytest.fixture
def out(finished: Path, here: None) -> None:
    """A copy of it, as ``out``."""
    shutil.copytree(finished, "out")


def of_smoke(row: int) -> tuple[str, str]:
    """Id and key of a row of the grid."""
    composed = compose([SMOKE])
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    number = np.array([row])
    return str(plan.ids(number)[0]), to_hex(scenario_keys(plan.rows(number)))[0]


@pytest.mark.parametrize("by", [0, 1])
def test_of_a_grid(by: int, capsys: pytest.CaptureFixture[str]) -> None:
    name, key = of_smoke(7)
    assert pointed(SMOKE, f"point={(name, key)[by]}", "output=out") == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    assert said["id"] == name
    assert said["scenario_key"] == key
    assert said["cpus"] == "64"
    assert said["softirq_residency_max_ms"] == "64.0512"
    table = pl.read_parquet(f"out/point-{key}.parquet")
    assert table["iova_nodes"].to_list() == [64] * 5
    assert pl.read_csv(f"out/point-{key}.csv").equals(table)
    assert len(list(Path("out").iterdir())) == 2


def test_of_a_points_file_by_an_id_that_no_file_may_have() -> None:
    Path("p.csv").write_text("id,cpus,unmap_burst,burst_period_us,in_flight\na,8,4,1000,16\n../b [1]=2,9,4,1000,16\n")
    assert pointed("points=p.csv", "point=../b [1]=2", "output=out") == 0
    assert {path.name for path in Path().iterdir()} == {"p.csv", "out"}
    (table,) = Path("out").glob("*.parquet")
    assert pl.read_parquet(table)["iova_nodes"][0] == 9


def test_no_id_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.csv").write_text("id,cpus,unmap_burst,burst_period_us,in_flight\na \x1b[31m,8,4,1000,16\n")
    assert pointed("points=p.csv", "point=a \x1b[31m", "output=out") == 0
    said = capsys.readouterr().out
    assert "a \ufffd[31m\n" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("by", [0, 1])
def test_of_a_results_folder(by: int, capsys: pytest.CaptureFixture[str]) -> None:
    swept("output=out", "grid.cpus=[16,64,128]")
    capsys.readouterr()
    row = pl.read_parquet("out/results.parquet").row(11, named=True)
    name, key = of_smoke(11)  # the same scenario
    assert row["id"] == name
    assert pointed(f"point={(name, key)[by]}", "output=out") == 0
    assert "equal to its row in the table" in capsys.readouterr().out
    assert Path(f"out/point-{key}.csv").is_file()


@pytest.mark.usefixtures("out")
def test_a_row_that_the_model_does_not_give_again(capsys: pytest.CaptureFixture[str]) -> None:
    table = pl.read_parquet("out/results.parquet").with_columns(softirq_residency_max_ms=pl.lit(1.0))
    table.write_parquet("out/results.parquet")
    assert pointed(f"point={table['id'][0]}", "output=out") == 0
    assert "not as in the table: softirq_residency_max_ms" in capsys.readouterr().out


@pytest.mark.usefixtures("out")
def test_a_table_of_an_older_version(capsys: pytest.CaptureFixture[str]) -> None:
    table = pl.read_parquet("out/results.parquet")
    table.drop("checked").write_parquet("out/results.parquet")
    assert pointed(f"point={table['id'][0]}", "output=out") == 0
    assert "equal to its row in the table; the table has no checked\n" in capsys.readouterr().out


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize("column", ["exposure_s", "cell", "id"])
def test_a_table_that_lacks_what_every_version_wrote(column: str) -> None:
    table = pl.read_parquet("out/results.parquet")
    table.drop(column).write_parquet("out/results.parquet")
    with pytest.raises(ScenarioError, match=rf"/out was given; it cannot be read as results \(.* no column {column}\)"):
        pointed(f"point={table['id'][0]}", "output=out")


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize("damage", [damaged, lambda table: table[: len(table) // 2]])
@pytest.mark.parametrize("more", [(), (SMOKE,)])
def test_a_damaged_table_is_no_lack_of_one(damage: Any, more: tuple[str, ...]) -> None:
    """The folder is a sweep's all the same, and none to write another scenario's series into."""
    table = Path("out/results.parquet")
    name = pl.read_parquet(table)["id"][0]
    table.write_bytes(damage(table.read_bytes()))
    before = sorted(Path().rglob("*"))
    with pytest.raises(ScenarioError, match=r"output: .*/out was given; it cannot be read as results \("):
        pointed(*more, f"point={name}", "output=out")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("out")
def test_a_table_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sweep.point.pl.scan_parquet", denied)
    with pytest.raises(ScenarioError, match=r"output: .*/out was given; it cannot be read as results \(.*denied"):
        pointed(SMOKE, "point=x", "output=out")


@pytest.mark.usefixtures("out")
def test_a_cell_that_was_implied(capsys: pytest.CaptureFixture[str]) -> None:
    table = pl.read_parquet("out/results.parquet").with_columns(cell=pl.lit("implied"))
    table.write_parquet("out/results.parquet")
    assert pointed(f"point={table['id'][0]}", "output=out") == 0
    assert "the table has no run of it (implied there: ok)" in capsys.readouterr().out


def test_twice_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    name, key = of_smoke(0)
    said = []
    for folder in ("a", "b"):
        assert pointed(SMOKE, f"point={name}", f"output={folder}") == 0
        said.append(capsys.readouterr().out.replace(f"/{folder}/", "/"))
    assert said[0] == said[1]
    assert Path(f"a/point-{key}.parquet").read_bytes() == Path(f"b/point-{key}.parquet").read_bytes()


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize("argv", [(SMOKE,), ("output=out",), ("points=p.csv",)])
def test_no_such_scenario(argv: tuple[str, ...]) -> None:
    Path("p.csv").write_text("id,cpus,unmap_burst,burst_period_us,in_flight\na,8,4,1000,16\n")
    before = sorted(Path().rglob("*"))
    for wanted in ("nobody", "0" * 32):
        with pytest.raises(ScenarioError, match=f"point: '{wanted}' was given; .* holds no scenario of that id"):
            pointed(*argv, f"point={wanted}")
    assert sorted(Path().rglob("*")) == before


def test_of_a_results_folder_with_the_sweep_s_own_settings() -> None:
    swept("output=out", "host=high")
    assert pointed(SMOKE, "host=high", f"point={pl.read_parquet('out/results.parquet')['id'][0]}", "output=out") == 0


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("output=out", "host=high"), "point: host=high was given, but .*/out holds other scenarios"),
        (("output=out", "+grid=smoke", "grid.cpus=[5]"), r"point: \+grid=smoke grid.cpus=\[5\] was given, but"),
        (("output=out", "points=p.csv"), "point: points='p.csv' was given, but"),
        (("output=uot",), r"output: .*/uot holds no results.parquet of a sweep; allowed is .*\+grid=NAME"),
        (("output=uot", "host=high"), "output: .*/uot holds no results.parquet"),
        (("output=out", "dry_run=true"), "dry_run: given beside point"),
    ],
)
def test_nothing_that_was_given_goes_unheeded(argv: tuple[str, ...], told: str) -> None:
    Path("p.csv").write_text("id,cpus,unmap_burst,burst_period_us,in_flight\na,8,4,1000,16\n")
    name = pl.read_parquet("out/results.parquet")["id"][0]
    before = sorted(Path().rglob("*"))
    with pytest.raises(ScenarioError, match=told):
        pointed(f"point={name}", *argv)
    assert sorted(Path().rglob("*")) == before
