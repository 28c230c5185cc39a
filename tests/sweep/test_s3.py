"""A sweep into a bucket: one PUT for each object, nothing copied or renamed, and it goes on where it was stopped."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sweep.report.__main__ import main as report
from sweep.storage import Storage, open_storage
from tests.sweep.storage.s3_service import Bucket, bucket

FILES = ["manifest.json", "map.svg", "report.html", "report.md"]
FILES += ["results.parquet", "status.json", "summary.csv", "summary.parquet"]
SEEDS = "grid.seed={start: 1, stop: 200, num: 200}"
TWO_CHUNKS = ("executor=inline", "report=false", "grid.cpus=4", "grid.iova_pages=[1,8,16]", SEEDS)
TWO_CHUNKS += ("grid.policy=[array]", "grid.horizon_s=0.03")  # each takes as long, and a run of its own


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket; where a path was meant, files would lie in a current folder of the test's own."""
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.chdir(tmp_path)
    with bucket() as made:
        yield made
    assert list(tmp_path.iterdir()) == []


def start(made: Bucket, output: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweep", "+grid=smoke", f"output={made.url}/{output}", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sweep(made: Bucket, output: str, *more: str) -> tuple[str, str]:
    """Runs one to its end; what it said and told."""
    process = start(made, output, *more)
    said, told = process.communicate(timeout=300)
    assert process.returncode == 0, said + told
    return said, told


def chunks(made: Bucket, method: str, store: str = "store") -> list[str]:
    return [name for name in made.keys(method) if name.startswith(f"{store}/") and name.endswith(".parquet")]


def stored(whole: Storage) -> list[str]:
    """Chunks that are in the bucket; of a PUT that is cut off there is nothing."""
    return [name for name, _ in whole.names("store") if name.endswith(".parquet")]


def text(name: str, data: bytes) -> str:
    """A file as a person may read it."""
    return pl.read_parquet(io.BytesIO(data)).write_csv() if name.endswith(".parquet") else data.decode()


def test_workers_put_each_chunk_once(made: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {name: f"marked{i}" * 8 for i, name in enumerate(("RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"))}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    said, told = sweep(made, "x", "cluster.cpus=2")
    assert f"report: {made.url}/x/report.html" in said
    puts = Counter(made.keys("PUT"))
    assert puts.pop("x/manifest.json") == 3  # at the start, for the report and at the end
    assert puts.pop("x/status.json") >= 2  # and every ten seconds between
    assert set(puts.values()) == {1}
    assert {method for method, _, _ in made.requests} <= {"GET", "HEAD", "PUT", "DELETE"}
    whole = open_storage(made.url)
    names = [name for name, _ in whole.names()]
    written = [name.removeprefix("x/") for name in names if name.startswith("x/")]
    figures = [name for name in written if name.startswith("figures/")]
    assert figures
    assert sorted({*written} - {*figures}) == FILES
    assert len(chunks(made, "PUT")) >= 3  # of two workers, and all in one
    read = {name: text(name, whole.read(name)) for name in names}
    for secret in secrets.values():
        assert secret not in said + told
        assert not [name for name, content in read.items() if secret in content]

    made.requests.clear()
    assert "12 of 12 points re-used, 0 to run" in sweep(made, "again", "executor=inline", "report=false")[1]
    assert chunks(made, "PUT") == []
    assert whole.read("again/results.parquet") == whole.read("x/results.parquet")

    page = whole.read("x/report.html")
    whole.delete("x/report.html")
    assert report([f"{made.url}/x"]) == 0
    assert whole.read("x/report.html") == page


def test_a_killed_sweep_goes_on(made: Bucket) -> None:
    whole = open_storage(made.url)
    killed = start(made, "x", *TWO_CHUNKS)
    while not stored(whole) and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -9
    assert len(stored(whole)) == 1
    made.requests.clear()
    assert "300 of 600 points re-used, 300 to run" in sweep(made, "x", *TWO_CHUNKS)[1]
    assert set(Counter(chunks(made, "PUT")).values()) == {1}
    sweep(made, "undisturbed", f"store={made.url}/other", *TWO_CHUNKS)
    assert whole.read("x/results.parquet") == whole.read("undisturbed/results.parquet")
