"""A results folder is read, or refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from sweep.report.inputs import complete, open_results
from sweep.results import SCHEMA
from sweep.storage.local import LocalStorage
from tests.sweep.frames import boundary_frame
from workers.schema import ScenarioError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    boundary_frame().write_parquet(tmp_path / "results.parquet")
    (tmp_path / "manifest.json").write_text(json.dumps({"scenarios": 108}))
    return tmp_path


def test_it_is_read_with_the_rate(folder: Path) -> None:
    found = open_results(LocalStorage.at(str(folder)))
    assert found.manifest == {"scenarios": 108}
    assert found.url == str(folder)
    assert sorted(found.table.select("unmap_rate_per_s").unique().collect()["unmap_rate_per_s"]) == [1e3, 1e4, 1e5]


def test_results_of_an_older_model_lack_columns_and_are_read(folder: Path) -> None:
    later = ["checked", "soft_lockup_hazard_per_hour"]
    boundary_frame().drop(later).write_parquet(folder / "results.parquet")
    found = open_results(LocalStorage.at(str(folder))).table.collect()
    assert found.select(later).null_count().row(0) == (108, 108)
    assert set(SCHEMA) <= set(found.columns)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("results.parquet", None, "it holds no results.parquet"),
        ("manifest.json", None, "it holds no manifest.json"),
        ("manifest.json", b"{", r"cannot be read as results \(manifest.json is damaged: Expecting property name"),
        ("manifest.json", b"[1]", "manifest.json holds no object"),
        ("results.parquet", b"", "cannot be read as results"),
        ("results.parquet", b"PAR1 and then nothing PAR1", "cannot be read as results"),
    ],
)
def test_no_results(folder: Path, name: str, content: bytes | None, said: str) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ScenarioError, match=said) as error:
        open_results(LocalStorage.at(str(folder)))
    assert str(error.value).startswith(f"DIR: {folder} was given; it ")
    assert "\n" not in str(error.value)


def test_another_table_is_no_results_table(folder: Path) -> None:
    pl.DataFrame({"id": ["a"], "cpus": [8]}).write_parquet(folder / "results.parquet")
    with pytest.raises(ScenarioError, match=r"results\.parquet has no column active_cpus"):
        open_results(LocalStorage.at(str(folder)))


def test_complete_keeps_what_is_there() -> None:
    table = boundary_frame().with_columns(checked=pl.lit(True))
    assert complete(table.lazy()).select(pl.col("checked").all()).collect().item()
