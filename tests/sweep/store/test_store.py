"""The store: what was written is found again, what is damaged is not, and compaction loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.results import Chunks
from sweep.storage import Storage, open_storage
from sweep.storage.local import LocalStorage
from sweep.store import Store, chunk, compact, write_chunk
from sweep.store.keys import scenario_keys, to_hex
from tests.sweep.contents import contents
from tests.sweep.standin import simulate
from workers.schema import ScenarioError

KEY = scenario_keys(contents(1))


def add(storage: Storage, *seeds: int) -> str:
    """A chunk of scenarios with these seeds."""
    content = contents(*seeds)
    table = chunk.table(scenario_keys(content), simulate(content), np.arange(len(seeds)), {})
    return write_chunk(storage, "1", table)


def opened(folder: Path) -> Store:
    store = Store(open_storage(str(folder)), "1")
    assert store.load() == []
    return store


def holds(store: Store, *seeds: int) -> bool:
    """Whether each scenario is where the index says."""
    keys = scenario_keys(contents(*seeds))
    files, rows = store.index.find(keys)
    places = zip(files.tolist(), rows.tolist(), strict=True)
    found = [store.read(store.index.names[file])["scenario_key"][row] for file, row in places]
    return found == to_hex(keys)


def test_what_was_written_is_found(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    add(storage, 1, 2, 3)
    add(storage, 4)
    store = opened(tmp_path)
    assert holds(store, 4, 3, 1, 2)
    assert store.unknown(scenario_keys(contents(3, 5))).tolist() == [False, True]


def test_another_version_s_results_are_none(tmp_path: Path) -> None:
    add(open_storage(str(tmp_path)), 1)
    store = Store(open_storage(str(tmp_path)), "2")
    assert store.load() == []
    assert len(store.index) == 0


@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_a_damaged_file_is_named_and_deleted(damage: bytes | None, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    name, good = add(storage, 1, 2), add(storage, 3)
    data = storage.read(name)
    storage.write(name, data[: len(data) // 2] if damage is None else damage)
    store = Store(storage, "1")
    assert store.load() == [name]
    assert store.unknown(scenario_keys(contents(1, 2, 3))).tolist() == [True, True, False]
    assert [name for name, _ in storage.names()] == [good]


def test_a_damaged_file_that_cannot_be_deleted_is_left_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(tmp_path))
    good, bad, left = (add(storage, seed) for seed in (1, 2, 3))
    for name in (bad, left):
        storage.write(name, b"PAR1")

    def delete(self: LocalStorage, name: str) -> None:
        if name == left:
            raise PermissionError(13, "Permission denied", name)
        (tmp_path / name).unlink()

    monkeypatch.setattr(LocalStorage, "delete", delete)
    store = Store(storage, "1")
    assert sorted(store.told(store.load())) == sorted([
        f"store: {bad} was damaged and is deleted; its points run again",
        f"store: {left} was damaged and cannot be deleted (Permission denied); its points run again",
    ])  # fmt: skip
    assert [name for name, _ in storage.names()] == sorted([good, left])
    assert holds(store, 1)


def test_a_file_that_cannot_be_read_is_a_sentence_and_no_reason_to_run_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add(open_storage(str(tmp_path)), 1)
    store = opened(tmp_path)

    def read(self: LocalStorage, name: str) -> bytes:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(LocalStorage, "read", read)
    for reads in (lambda: Store(store.storage, "1").load(), lambda: store.read(name), lambda: Chunks(store).find(KEY)):
        with pytest.raises(ScenarioError) as refused:
            reads()
        assert str(refused.value) == f"store: {tmp_path / name} cannot be read (Permission denied)"

    def names(self: LocalStorage, prefix: str) -> list[tuple[str, int]]:
        raise PermissionError(13, "Permission denied", prefix)

    monkeypatch.setattr(LocalStorage, "names", names)
    with pytest.raises(ScenarioError, match=rf"store: {tmp_path} cannot be read \(Permission denied\)"):
        store.reload(name)


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@given(sizes=sizes)
def test_compaction_keeps_every_row_and_its_order(sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    storage, first, names = open_storage(str(folder)), 0, []
    for size in sizes:
        names.append(add(storage, *range(first, first + size)))
        first += size
    store = opened(folder)
    full, compact.FULL_ROWS = compact.FULL_ROWS, 16
    try:
        compact.compact(store, names)
    finally:
        compact.FULL_ROWS = full
    assert holds(store, *range(first))
    assert holds(opened(folder), *range(first))
    left = [name for name, _ in storage.names()]
    assert len(left) <= max(1, len([size for size in sizes if size >= 8]) * 2 + 2 * first // 8)


def test_a_crash_between_writing_and_deleting_leaves_rows_twice_and_the_next_one_tidies(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    old = [add(storage, 1, 2), add(storage, 3)]
    both = add(storage, 1, 2, 3)
    store = opened(tmp_path)
    assert holds(store, 1, 2, 3)
    compact.compact(store, [*old, both])
    assert holds(opened(tmp_path), 1, 2, 3)
    assert len(storage.names()) == 1


def test_two_sweeps_that_compact_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    names = [add(storage, seed) for seed in range(6)]
    one, other = opened(tmp_path), opened(tmp_path)
    compact.compact(one, names[:4])
    compact.compact(other, names[2:])
    assert holds(opened(tmp_path), *range(6))
    other.load()
    compact.compact(opened(tmp_path), [name for name, _ in storage.names()])
    assert holds(opened(tmp_path), *range(6))
    assert len(storage.names()) == 1


def test_of_two_files_with_the_same_rows_one_goes_whoever_saw_them_first(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    earlier, later = sorted((add(storage, 1, 2), add(storage, 2, 1)))
    for seen_first, then in ((earlier, later), (later, earlier)):
        data = {name: storage.read(name) for name in (earlier, later)}
        storage.delete(then)
        ours = opened(tmp_path)
        storage.write(then, data[then])
        ours.load()
        other = opened(tmp_path)
        for store in (ours, other):
            compact.compact(store, [])
        assert [name for name, _ in storage.names()] == [later], seen_first
        assert holds(opened(tmp_path), 1, 2)
        storage.write(earlier, data[earlier])


def test_a_file_is_kept_where_the_one_that_held_its_rows_is_gone_meanwhile(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    earlier, later = sorted((add(storage, 1, 2), add(storage, 2, 1)))
    store = opened(tmp_path)
    storage.delete(later)
    compact.compact(store, [])
    assert [name for name, _ in storage.names()] == [earlier]


def test_nothing_is_deleted_before_the_larger_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [add(open_storage(str(tmp_path)), seed) for seed in range(3)]
    store = opened(tmp_path)

    def full(self: LocalStorage, name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStorage, "write", full)
    with pytest.raises(OSError, match="No space left"):
        compact.compact(store, names)
    assert holds(store, 0, 1, 2)
    assert holds(opened(tmp_path), 0, 1, 2)


def test_a_larger_file_that_is_one_of_those_it_replaces_stays(tmp_path: Path) -> None:
    """As where another sweep has merged the same ones already."""
    storage = open_storage(str(tmp_path))
    both, part = add(storage, 1, 2), add(storage, 2)
    store = Store(storage, "1")
    for name, seeds in ((both, (1, 2)), (part, (2,))):
        store.index.put(scenario_keys(contents(*seeds)), name)
    compact.compact(store, [both, part])
    assert [name for name, _ in storage.names()] == [both]
    assert holds(store, 1, 2)


def test_what_another_sweep_has_merged_is_found_again_and_what_is_gone_is_not(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    names = [add(storage, seed) for seed in range(4)]
    ours = opened(tmp_path)
    compact.compact(opened(tmp_path), names[:3])
    storage.delete(names[3])
    ours.reload(names[0])
    assert holds(ours, 0, 1, 2)
    assert ours.unknown(scenario_keys(contents(0, 1, 2, 3))).tolist() == [False, False, False, True]
