"""A bucket as storage: one PUT a file; what goes wrong is an OSError, or one sentence at the start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import polars as pl
import pytest

from sweep.storage import open_storage, s3
from tests.sweep.storage.s3_service import Bucket, bucket
from workers.schema import ScenarioError


@pytest.fixture(scope="module")
def made() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


def test_one_put_a_file_and_nothing_else(made: Bucket) -> None:
    storage = open_storage(f"{made.url}/x/")
    assert storage.url == f"{made.url}/x"
    made.requests.clear()
    storage.write("chunk.parquet", bytes(20 << 20))
    assert made.requests == [("PUT", "x/chunk.parquet", "")]
    assert open_storage(made.url).names() == [("x/chunk.parquet", 20 << 20)]


def test_no_such_bucket() -> None:
    with pytest.raises(ScenarioError, match=r"^output: s3://no-such-bucket/x cannot be used \(.*NoSuchBucket"):
        open_storage("s3://no-such-bucket/x")


def test_a_bucket_that_goes_is_an_os_error(made: Bucket) -> None:
    storage = s3.S3Storage("gone-bucket", "x")
    for use in (lambda: storage.write("a", b""), storage.names, lambda: storage.read("a"), lambda: storage.delete("a")):
        with pytest.raises(OSError, match=r"NoSuchBucket") as error:
            use()
        assert not isinstance(error.value, FileNotFoundError)


def test_no_service(monkeypatch: pytest.MonkeyPatch, made: Bucket) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3._client.cache_clear()
    try:
        with pytest.raises(ScenarioError, match=r"cannot be used .*Could not connect"):
            open_storage(f"{made.url}/x")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
        s3._client.cache_clear()
        with pytest.raises(ScenarioError, match=r"cannot be used .*Invalid endpoint"):
            open_storage(f"{made.url}/x")
    finally:
        s3._client.cache_clear()


def test_polars_goes_where_boto3_goes(monkeypatch: pytest.MonkeyPatch, made: Bucket) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    s3._client.cache_clear()
    path, options = open_storage(made.url).polars("table.parquet")
    pl.LazyFrame({"a": [1]}).sink_parquet(path, storage_options=options)
    assert "table.parquet" in made.keys("PUT")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    s3._client.cache_clear()
    assert s3.S3Storage("bucket", "x").polars("a") == ("s3://bucket/x/a", {})
    s3._client.cache_clear()


def test_without_the_extra() -> None:
    with (
        mock.patch("importlib.util.find_spec", return_value=None),
        pytest.raises(ScenarioError, match=r"needs the extra s3: pip install boto3$"),
    ):
        open_storage("s3://bucket/x")
