"""Chunk files: bytes that are what their name says, and tables that keep their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.store import chunk
from sweep.store.keys import scenario_keys, to_hex
from tests.sweep.contents import contents
from tests.sweep.standin import simulate

KEYS = scenario_keys(contents(1, 2, 3, 4))


def whole() -> bytes:
    return chunk.encode(chunk.table(KEYS, simulate(contents(1, 2, 3, 4)), np.arange(4), {}))


def test_failed_rows_keep_their_place() -> None:
    table = chunk.table(KEYS, simulate(contents(1, 3)), np.array([0, 2]), {3: "bad", 1: "worse"})
    assert table["scenario_key"].to_list() == to_hex(KEYS)
    assert table["status"].to_list() == ["ok", "failed", "ok", "failed"]
    assert table["error"].to_list() == [None, "worse", None, "bad"]
    assert table["verdict"].to_list() == ["ok", None, "ok", None]
    assert dict(table.schema) == chunk.SCHEMA
    assert dict(chunk.table(KEYS, {}, np.arange(0), dict.fromkeys(range(4), "bad")).schema) == chunk.SCHEMA


def test_the_same_results_have_the_same_name() -> None:
    assert whole() == whole()
    name = chunk.name_of(whole(), "7")
    assert name.startswith("7/")
    assert chunk.decode(name, whole(), ["scenario_key"])["scenario_key"].to_list() == to_hex(KEYS)


@given(st.data())
def test_any_damage_is_seen_before_polars_sees_the_bytes(data: st.DataObject) -> None:
    good = whole()
    name = chunk.name_of(good, "7")
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    for bad in (flipped, good[:at], good + b"x"):
        with pytest.raises(chunk.DamagedChunk):
            chunk.decode(name, bad)
