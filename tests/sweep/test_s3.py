"""A sweep into a bucket: one PUT for each object, nothing copied or renamed, and it goes on where it was stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from sweep.storage import open_storage
from tests.sweep.storage.s3_service import Bucket, bucket

FILES = ["manifest.json", "map.svg", "results.parquet", "summary.csv", "summary.parquet"]


@pytest.fixture(scope="module")
def made() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


def sweep(made: Bucket, output: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweep", "+grid=smoke", f"output={made.url}/{output}", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    """What it said on stderr; it ended well."""
    said, told = process.communicate(timeout=300)
    assert process.returncode == 0, said + told
    return told


def table(made: Bucket, output: str) -> pl.DataFrame:
    path, options = open_storage(f"{made.url}/{output}").polars("results.parquet")
    return pl.read_parquet(path, storage_options=options, glob=False)


def test_a_sweep_on_ray_into_a_bucket(made: Bucket) -> None:
    ended(sweep(made, "x", "cluster.cpus=2"))
    assert [name for name, _ in open_storage(f"{made.url}/x").names()] == FILES
    assert table(made, "x")["status"].to_list() == ["ok"] * 12
    puts = Counter(made.keys("PUT"))
    chunks = [name for name, _ in open_storage(f"{made.url}/store").names()]
    print(puts, made.requests)
    assert chunks
