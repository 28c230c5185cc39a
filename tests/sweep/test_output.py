"""The folder of a sweep: its name, and whose it is."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from sweep import output
from sweep.storage import open_storage
from sweep.storage.local import LocalStorage
from workers.schema import ScenarioError


def test_below_the_current_folder_by_name_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = Path(output.folder_of(None, "mine"))
    assert first.parent == tmp_path / "results" / "mine"
    first.mkdir(parents=True)
    assert output.folder_of(None, "mine") != str(first)
    assert output.folder_of("out", "mine") == "out"
    assert output.folder_of("s3://bucket/out", "mine") == "s3://bucket/out"


def test_commands_that_begin_in_one_second_do_not_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though none of them has made its folder yet."""
    monkeypatch.chdir(tmp_path)
    names = [output.folder_of(None, "mine") for _ in range(100)]
    assert names == sorted({*names})
    assert not [*tmp_path.iterdir()]


def test_where_the_store_is() -> None:
    assert output.store_of(None, "/anywhere") == "results/store"
    assert output.store_of("kept", "/anywhere") == "kept"
    assert output.store_of(None, "s3://bucket/a/b") == "s3://bucket/store"


@pytest.mark.parametrize("folder", [None, "out"])
@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb", "store"])
def test_a_name_that_is_no_folder_s(name: str, folder: str | None) -> None:
    with pytest.raises(ScenarioError, match=r"grid\.name: "):
        output.folder_of(folder, name)


def test_whose_folder_it_is(tmp_path: Path) -> None:
    output.refuse_foreign(open_storage(str(tmp_path / "new" / "deep")), "key")
    folder = open_storage(str(tmp_path))
    output.refuse_foreign(folder, "key")
    (tmp_path / output.MANIFEST).write_text(json.dumps({"sweep_key": "key"}))
    output.refuse_foreign(folder, "key")
    for text, why in (
        ('{"sweep_key": "other"}', "its manifest.json is of another sweep"),
        ("[]", "its manifest.json has no sweep_key"),
        ('{"a": 1}', "its manifest.json has no sweep_key"),
        ("no json", "its manifest.json is damaged: no JSON"),
        (None, "it has no manifest.json"),
    ):
        (tmp_path / output.MANIFEST).write_text(text or "")
        if text is None:
            (tmp_path / output.MANIFEST).rename(tmp_path / "mine.txt")
        with pytest.raises(ScenarioError, match=f"something else than this sweep: {why}"):
            output.refuse_foreign(folder, "key")


def test_a_folder_that_may_be_written_but_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.listdir", denied)  # root may read anything
    with pytest.raises(ScenarioError) as refusal:
        output.refuse_foreign(LocalStorage.at(str(tmp_path)), "key")
    assert str(refusal.value) == f"output: {tmp_path} cannot be read (Permission denied)"


def test_what_a_killed_start_leaves_is_nothing(tmp_path: Path) -> None:
    (tmp_path / output.STATUS).write_text("{}")
    (tmp_path / "0123.part").write_text("{")
    output.refuse_foreign(open_storage(str(tmp_path)), "key")


@pytest.mark.parametrize(
    ("folder", "store", "named", "fits"),
    [
        ("out", "store", True, True),
        ("out", "out-store", True, True),
        ("x", "x", True, False),
        ("x", "x", False, False),
        ("x/out", "x", True, False),
        ("link/out", "x", True, False),
        ("x", "x/store", True, False),
        (".", "results/store", False, True),
    ],
)
def test_folder_and_store_apart(
    folder: str, store: str, named: bool, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("x")
    with contextlib.nullcontext() if fits else pytest.raises(ScenarioError, match="two folders, none in the other"):
        output.refuse_nested(LocalStorage.at(folder), LocalStorage.at(store), named)
