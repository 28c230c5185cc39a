"""The folder of a sweep: its name, and whose it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep import output
from sweep.storage import open_storage
from workers.schema import ScenarioError


def test_below_the_current_folder_by_name_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = Path(output.folder_of(None, "mine"))
    assert first.parent == tmp_path / "results" / "mine"
    first.mkdir(parents=True)
    assert output.folder_of(None, "mine") != str(first)
    assert output.folder_of("out", "mine") == "out"
    assert output.folder_of("s3://bucket/out", "mine") == "s3://bucket/out"


def test_where_the_store_is() -> None:
    assert output.store_of(None, "/anywhere") == "results/store"
    assert output.store_of("kept", "/anywhere") == "kept"
    assert output.store_of(None, "s3://bucket/a/b") == "s3://bucket/store"


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb", "store"])
def test_a_name_that_is_no_folder_s(name: str) -> None:
    with pytest.raises(ScenarioError, match=r"grid\.name: "):
        output.folder_of(None, name)


def test_whose_folder_it_is(tmp_path: Path) -> None:
    output.refuse_foreign(open_storage(str(tmp_path / "new" / "deep")), "key")
    folder = open_storage(str(tmp_path))
    output.refuse_foreign(folder, "key")
    (tmp_path / output.MANIFEST).write_text(json.dumps({"sweep_key": "key"}))
    output.refuse_foreign(folder, "key")
    for text in ('{"sweep_key": "other"}', "[]", "no json", '{"a": 1}'):
        (tmp_path / output.MANIFEST).write_text(text)
        with pytest.raises(ScenarioError, match="something else than this sweep"):
            output.refuse_foreign(folder, "key")
