"""The folder of a sweep: its name, whose it is, and the joined table."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from sweep import output
from tests.sweep.frames import result_row
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, ScenarioError


def test_below_the_current_folder_by_name_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = output.folder_of(None, "mine")
    assert first.parent == tmp_path / "results" / "mine"
    first.mkdir(parents=True)
    assert output.folder_of(None, "mine") != first
    assert output.folder_of("out", "mine") == tmp_path / "out"


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb"])
def test_a_name_that_is_no_folder_s(name: str) -> None:
    with pytest.raises(ScenarioError, match=r"grid\.name: "):
        output.folder_of(None, name)


def test_whose_folder_it_is(tmp_path: Path) -> None:
    output.refuse_foreign(tmp_path / "new" / "deep", "key")
    output.refuse_foreign(tmp_path, "key")
    (tmp_path / output.MANIFEST).write_text(json.dumps({"sweep_key": "key"}))
    output.refuse_foreign(tmp_path, "key")
    for text in ('{"sweep_key": "other"}', "[]", "no json", '{"a": 1}'):
        (tmp_path / output.MANIFEST).write_text(text)
        with pytest.raises(ScenarioError, match="something else than this sweep"):
            output.refuse_foreign(tmp_path, "key")


def test_chunks_are_joined_by_row_and_lose_what_is_no_column(tmp_path: Path) -> None:
    (tmp_path / output.CHUNKS).mkdir()
    for first in (10, 0, 200, 1000):
        frame = pl.DataFrame([result_row({"cpus": 1 + first + row}) for row in range(3)])
        frame = frame.with_columns(pl.lit("array").alias("depot_kind"))
        frame.write_parquet(tmp_path / output.CHUNKS / f"{first:012d}.parquet")
    table = pl.read_parquet(output.join_chunks(tmp_path))
    assert table.columns == [c.name for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)]
    assert table["cpus"].to_list() == [1, 2, 3, 11, 12, 13, 201, 202, 203, 1001, 1002, 1003]
    assert dict(table.schema) == output.SCHEMA


def test_no_chunk_makes_an_empty_table(tmp_path: Path) -> None:
    table = pl.read_parquet(output.join_chunks(tmp_path))
    assert table.height == 0
    assert dict(table.schema) == output.SCHEMA
