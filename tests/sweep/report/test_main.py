"""python -m sweep.report, from the folder to the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweep.command import exit_code
from sweep.document import Document
from sweep.report.__main__ import main
from sweep.storage.local import LocalStorage
from tests.sweep.frames import boundary_frame, damaged, frame, result_row
from tests.sweep.report.manifests import manifest


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    boundary_frame().write_parquet(folder / "results.parquet")
    (folder / "manifest.json").write_text(json.dumps(manifest()))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_page_a_text_and_figures(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(results)
    assert main([str(results), "--output", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().out == f"report: {tmp_path / 'a' / 'report.html'}\n"
    made = contents(tmp_path / "a")
    figures = {name for name in made if name.startswith("figures/") and name.endswith(".svg")}
    assert set(made) == {"report.html", "report.md", *figures}
    text = made["report.md"].decode()
    assert figures
    assert all(f"({name})" in text for name in figures)
    assert made["report.html"].count(b"<img") == text.count("![") == len(figures)
    assert contents(results) == before
    assert main([str(results), "--output", str(tmp_path / "b")]) == 0
    assert contents(tmp_path / "b") == made


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that says nothing, quickly."""
    monkeypatch.setattr("sweep.report.__main__.document", lambda results: Document("short", (), ()))


@pytest.mark.usefixtures("short")
def test_beside_the_results_by_default(results: Path, tmp_path: Path) -> None:
    for name, data in contents(results).items():
        (tmp_path / name).write_bytes(data)
    assert main([str(tmp_path)]) == 0
    assert {"results.parquet", "manifest.json", "report.html", "report.md"} <= {
        path.name for path in tmp_path.iterdir()
    }


@pytest.mark.usefixtures("short")
def test_the_report_of_another_sweep_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, key in (("a", "key"), ("again", "key"), ("b", "other")):
        (tmp_path / name).mkdir()
        boundary_frame().write_parquet(tmp_path / name / "results.parquet")
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest(sweep_key=key)))
    before = contents(tmp_path / "b")
    assert exit_code("sweep.report", main, [str(tmp_path / "a"), "--output", str(tmp_path / "b")]) == 2
    assert capsys.readouterr().err == (
        f"sweep.report: --output: {tmp_path / 'b'} holds other results: its manifest.json is of another sweep, or of"
        " another version of the model; give another folder\n"
    )
    assert contents(tmp_path / "b") == before
    for name in ("a", "again", "new", "new"):
        assert main([str(tmp_path / "a"), "--output", str(tmp_path / name)]) == 0


@pytest.mark.usefixtures("short")
def test_to_read_a_folder_it_need_not_be_written(results: Path, tmp_path: Path, monkeypatch: Any) -> None:
    tried: list[str] = []
    monkeypatch.setattr(LocalStorage, "try_writing", lambda storage: tried.append(storage.url))
    assert main([str(results), "--output", str(tmp_path)]) == 0
    assert tried == [str(tmp_path)]


@pytest.mark.parametrize(
    ("manifested", "said"),
    [
        (None, "it holds no manifest.json"),
        ("[]", "cannot be read as results"),
        ("{", "cannot be read as results"),
        ("{}", "the command in its manifest.json is none that a sweep writes"),
        (json.dumps(manifest(versions=[])), "the versions in its manifest.json"),
    ],
)
def test_a_bad_folder_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifested: str | None, said: str
) -> None:
    boundary_frame().write_parquet(tmp_path / "results.parquet")
    if manifested is not None:
        (tmp_path / "manifest.json").write_text(manifested)
    before = contents(tmp_path)
    assert exit_code("sweep.report", main, [str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"sweep.report: DIR: {tmp_path} was given; ")
    assert said in told.err
    assert told.err.count("\n") == 1
    assert contents(tmp_path) == before


def test_damaged_rows_are_one_sentence(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of the table, which says what is in it, is whole."""
    (tmp_path / "manifest.json").write_bytes((results / "manifest.json").read_bytes())
    (tmp_path / "results.parquet").write_bytes(damaged((results / "results.parquet").read_bytes()))
    before = contents(tmp_path)
    assert exit_code("sweep.report", main, [str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"sweep.report: DIR: {tmp_path} was given; it cannot be read as results (")
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("url", ["", "ftp://x", "s3://UPPER"])
def test_a_bad_url_is_one_sentence(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sweep.report", main, [url]) == 2
    assert capsys.readouterr().err.startswith("sweep.report: DIR: ")


@pytest.mark.parametrize("argv", [[], ["a", "b"], ["--out"], ["--bogus", "a"]])
def test_bad_arguments_are_one_sentence(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sweep.report", main, argv) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("sweep.report: ")
    assert told.err.count("\n") == 1


@pytest.mark.usefixtures("short")
def test_a_place_that_cannot_be_written(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.html").mkdir()
    assert exit_code("sweep.report", main, [str(results), "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"sweep.report: --output: {tmp_path} cannot be written (")


@pytest.mark.parametrize("kind", ["all failed", "one", "one policy"])
def test_whatever_a_sweep_may_hold_it_is_written(tmp_path: Path, kind: str) -> None:
    failed = {"status": "failed", "error": "x", "verdict": None}
    tables = {
        "all failed": frame(*[result_row({"cpus": cpus}) | failed for cpus in (8, 16)]),
        "one": frame(result_row({})),
        "one policy": boundary_frame(("list",)),
    }
    tables[kind].write_parquet(tmp_path / "results.parquet")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest()))
    assert main([str(tmp_path)]) == 0
