"""The index against a dictionary, whatever is put and forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.store import index as indexing
from sweep.store.index import PENDING, Index, first_of_each
from sweep.store.keys import KEY

names = st.sampled_from(["a", "b", "c", PENDING])
some_keys = st.lists(st.integers(0, 40), max_size=20, unique=True)
steps = st.lists(st.one_of(st.tuples(st.just("put"), names, some_keys), st.tuples(st.just("forget"), names)))


def keys(numbers: list[int]) -> np.ndarray:
    """Keys that end in zeros, as a hash may."""
    return np.array([number.to_bytes(2, "big") + bytes(14) for number in numbers], KEY)


@given(steps, st.integers(1, 50))
def test_as_a_dictionary_would(steps: list[tuple], run_rows: int) -> None:
    before, indexing.RUN_ROWS = indexing.RUN_ROWS, run_rows
    index, known = Index(), {}
    try:
        for step in steps:
            if step[0] == "put":
                index.put(keys(step[2]), step[1])
                known |= {number: (step[1], row) for row, number in enumerate(step[2])}
            else:
                index.forget(step[1])
                known = {number: place for number, place in known.items() if place[0] != step[1]}
    finally:
        indexing.RUN_ROWS = before
    every = list(range(40, -1, -1))
    files, rows = index.find(keys(every))
    for number, file, row in zip(every, files, rows, strict=True):
        assert (None if file < 0 else (index.names[file], row)) == known.get(number)
    assert len(index) == len(known)
    counts = index.rows_by_file()
    assert {name: count for name, count in counts.items() if count} == {
        name: sum(place[0] == name for place in known.values())
        for name in {place[0] for place in known.values()} - {PENDING}
    }


def test_no_keys_are_found_nowhere() -> None:
    assert [len(part) for part in Index().find(keys([]))] == [0, 0]
    assert Index().find(keys([1]))[0].tolist() == [-1]


def test_many_keys_in_a_few_runs() -> None:
    index = Index()
    every = np.frombuffer(np.random.default_rng(1).bytes(16 << 17), KEY)
    for first in range(0, len(every), 1000):
        index.put(every[first : first + 1000], f"{first}")
    files, rows = index.find(every)
    assert [index.names[file] for file in files[::999]] == [f"{n - n % 1000}" for n in range(0, len(every), 999)]
    assert rows[::999].tolist() == [n % 1000 for n in range(0, len(every), 999)]
    assert len(index._runs) < 20


def test_runs_are_merged_up_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "RUN_ROWS", 100)
    index = Index()
    for first in range(0, 1000, 10):
        index.put(keys(list(range(first, first + 10))), "a")
        assert max(len(run.keys) for run in index._runs) <= 100
    assert len(index._runs) < 20


def test_the_first_of_each() -> None:
    assert first_of_each(keys([3, 1, 3, 2, 1])).tolist() == [0, 1, 3]
    assert first_of_each(keys([])).tolist() == []
