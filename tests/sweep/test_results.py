"""results.parquet: in input order, the same bytes whatever the chunks, and whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep import plan as planning
from sweep import results
from sweep.results import SCHEMA, LostChunk, write_results
from sweep.storage import open_storage
from sweep.store import Store, chunk, write_chunk
from sweep.store.keys import scenario_keys
from tests.sweep.contents import contents, plan
from tests.sweep.standin import simulate
from workers import MODEL_VERSION

SEEDS = [5, 3, 9, 3, 1, 7, 2, 5]


def store_of(folder: Path, *parts: list[int]) -> Store:
    """A store with a chunk for each list of seeds."""
    storage = open_storage(str(folder))
    for seeds in parts:
        content = contents(*seeds)
        write_chunk(
            storage, MODEL_VERSION, chunk.table(scenario_keys(content), simulate(content), np.arange(len(seeds)), {})
        )
    store = Store(storage)
    store.load()
    return store


def joined(folder: Path, store: Store) -> bytes:
    (folder / "out").mkdir(exist_ok=True)
    write_results(plan(*SEEDS), store, open_storage(str(folder / "out")), None)
    assert [path.name for path in (folder / "out").iterdir()] == [results.NAME]
    return (folder / "out" / results.NAME).read_bytes()


@given(order=st.permutations(sorted(set(SEEDS))), cut=st.integers(1, 5), window=st.integers(2, 9))
def test_the_same_bytes_from_any_chunks(
    order: list[int], cut: int, window: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (planning, results):
            patch.setattr(module, "WINDOW_ROWS", window)
        one, other = (tmp_path_factory.mktemp("folder") for _ in range(2))
        bytes_of_many = joined(one, store_of(one / "store", order[:cut], order[cut:]))
        assert joined(other, store_of(other / "store", sorted(order))) == bytes_of_many
    table = pl.read_parquet(one / "out" / results.NAME)
    assert dict(table.schema) == SCHEMA
    assert table["seed"].to_list() == SEEDS
    assert table["id"].to_list() == [f"r{row}" for row in range(len(SEEDS))]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(tmp_path / "store", SEEDS[:3], SEEDS[3:])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    target = tmp_path / "out" / results.NAME
    target.parent.mkdir()
    target.write_bytes(b"an earlier one")
    with pytest.raises(OSError, match="No space left"):
        write_results(plan(*SEEDS), store, open_storage(str(tmp_path / "out")), None)
    assert [path.name for path in target.parent.iterdir()] == [results.NAME]
    assert target.read_bytes() == b"an earlier one"


def test_a_chunk_lost_on_the_way_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [5, 3, 9], [1, 7, 2])
    (tmp_path / "out").mkdir()
    victim = store.storage.names()[0][0]
    data = store.storage.read(victim)
    for damage in (lambda: store.storage.write(victim, data[:-1]), lambda: store.storage.delete(victim)):
        damage()
        with pytest.raises(LostChunk) as lost:
            write_results(plan(*SEEDS), store, open_storage(str(tmp_path / "out")), None)
        assert lost.value.name == victim
        assert list((tmp_path / "out").iterdir()) == []


def test_failures_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "store"))
    keys = scenario_keys(contents(*sorted(set(SEEDS))))
    write_chunk(storage, MODEL_VERSION, chunk.table(keys, {}, np.arange(0), dict.fromkeys(range(len(keys)), "bad")))
    store = Store(storage)
    store.load()
    (tmp_path / "out").mkdir()
    done = write_results(plan(*SEEDS), store, open_storage(str(tmp_path / "out")), None)
    assert done.failed == len(SEEDS)
    assert done.failures[1] == {"row": 1, "id": "r1", "error": "bad"}
    assert done.chunks == [name for name, _ in storage.names()]
