"""Both storages do the same; what each does beyond it is in test_local and test_s3."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep.storage import Storage, open_storage
from sweep.storage.names import checked
from tests.sweep.storage.s3_service import bucket
from workers.schema import ScenarioError


@pytest.fixture(scope="module", params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where storages of the kind can lie."""
    if request.param == "local":
        yield str(tmp_path_factory.mktemp("storage"))
    else:
        with bucket() as made:
            yield made.url


@pytest.fixture
def storage(root: str, request: pytest.FixtureRequest) -> Storage:
    return open_storage(f"{root}/{request.node.originalname}")


def test_what_was_written_is_read(storage: Storage) -> None:
    storage.write("a/b.bin", b"1")
    storage.write("a/b.bin", b"22")
    storage.write("empty", b"")
    assert storage.read("a/b.bin") == b"22"
    assert storage.read("empty") == b""
    assert storage.names() == [("a/b.bin", 2), ("empty", 0)]


def test_names_are_those_that_begin_with_a_prefix_sorted(storage: Storage) -> None:
    assert storage.names() == []
    for name in ("b/2", "b/1", "bb", "a", "b/c/d"):
        storage.write(name, b"x")
    assert [name for name, _ in storage.names()] == ["a", "b/1", "b/2", "b/c/d", "bb"]
    assert [name for name, _ in storage.names("b/")] == ["b/1", "b/2", "b/c/d"]
    assert [name for name, _ in storage.names("b")] == ["b/1", "b/2", "b/c/d", "bb"]
    assert storage.names("none/") == []


def test_what_is_not_there(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("nothing")
    storage.delete("nothing")
    storage.write("something", b"x")
    storage.delete("something")
    assert storage.names() == []


def test_it_travels(storage: Storage) -> None:
    pickled = pickle.dumps(storage)
    assert b"a-secret-for-tests" not in pickled
    pickle.loads(pickled).write("a", b"x")
    assert storage.read("a") == b"x"


def test_polars_reads_and_writes_there(storage: Storage) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    path, options = storage.polars("t/one.parquet")
    storage.write("t/other.parquet", b"")  # makes the folder
    frame.lazy().sink_parquet(path, storage_options=options)
    assert_frame_equal(pl.scan_parquet(path, storage_options=options, glob=False).collect(), frame)
    assert [name for name, _ in storage.names("t/one")] == ["t/one.parquet"]


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/..", "a\\b", "a\0b", "a.part"])
def test_names_cannot_leave_the_storage(storage: Storage, name: str) -> None:
    for use in (storage.read, storage.delete, storage.polars, lambda name: storage.write(name, b"x")):
        with pytest.raises(ValueError, match="cannot name a file"):
            use(name)
    if name:
        with pytest.raises(ValueError, match="cannot name a file"):
            storage.names(name)


@given(st.text(st.sampled_from("a./\\ \0é"), max_size=8))
def test_a_checked_name_stays_below_any_folder(name: str) -> None:
    try:
        inside = Path("/store/of/it", checked(name)).resolve()
    except ValueError:
        return
    assert inside.is_relative_to("/store/of/it")
    assert inside != Path("/store/of/it")


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join).map("n{}".format)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(names.map(lambda name: f"{name}.x"), st.binary(max_size=9)), max_size=6))
def test_it_is_a_dictionary_on_disk(storage: Storage, writes: list[tuple[str, bytes]]) -> None:
    for name, _ in storage.names():
        storage.delete(name)
    for name, data in writes:
        storage.write(name, data)
    kept = dict(writes)
    assert storage.names() == sorted((name, len(data)) for name, data in kept.items())
    assert {name: storage.read(name) for name in kept} == kept


@pytest.mark.parametrize("url", ["", "gs://bucket/x", "s3://", "s3://B/x", "s3://bucket/a//b", "s3://bucket/../x"])
def test_a_place_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ScenarioError, match=r"^store: .* given; allowed"):
        open_storage(url, "store")
