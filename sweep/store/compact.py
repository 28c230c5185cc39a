"""At the end of a sweep: its many small chunk files become few larger ones.

A larger file is written before those that it replaces are deleted, so a crash leaves rows twice and never not at all.
A sweep that runs at the same time may find a file gone; the rows are in a file that it has not seen yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from sweep.store import Store, chunk, write_chunk
from sweep.store.keys import from_hex
from workers.schema import ScenarioError

FULL_ROWS = 1 << 17
"""Rows of a larger file, about: what is held in memory at once. Files of half of them and more stay as they are."""

UNREADABLE = (FileNotFoundError, chunk.DamagedChunk, ScenarioError)


def compact(store: Store, names: Iterable[str]) -> None:
    """Merges the small ones of these chunk files, in order; deletes files whose rows are all in others.

    Raises OSError where the store cannot be written, ScenarioError where it cannot be listed.
    """
    rows, there = store.index.rows_by_file(), set(store.names())
    for name, left in rows.items():
        if not left and _superseded(store, name, there):
            store.storage.delete(name)
    small = [(name, rows[name]) for name in names if 0 < rows.get(name, 0) < FULL_ROWS / 2]
    for group in _groups(small):
        _merge(store, group)


def _superseded(store: Store, name: str, there: set[str]) -> bool:
    """Whether all rows of a file are in files that are ``there``, of names after its own.

    Which of two files with the same rows the index prefers hangs on when it saw them: two sweeps, of which each deletes
    the other one's, would lose the rows.
    """
    try:
        keys = from_hex(store.read(name, ["scenario_key"])["scenario_key"])
    except UNREADABLE:
        return False
    files, _ = store.index.find(keys)
    holders = {store.index.names[file] if file > 0 else "" for file in np.unique(files)}
    return holders <= there and all(holder > name for holder in holders)


def _groups(small: list[tuple[str, int]]) -> Iterator[list[str]]:
    """Files in order, in groups of about FULL_ROWS rows; a file alone is none."""
    group: list[str] = []
    total = 0
    for name, rows in small:
        if total + rows > FULL_ROWS:
            if len(group) > 1:
                yield group
            group, total = [], 0
        group.append(name)
        total += rows
    if len(group) > 1:
        yield group


def _merge(store: Store, group: list[str]) -> None:
    """Replaces the files of a group by one of their rows; nothing, where one of them is gone, damaged or unreadable."""
    try:
        table = pl.concat([store.read(name) for name in group]).unique(
            "scenario_key", keep="first", maintain_order=True
        )
    except UNREADABLE:
        return
    merged = write_chunk(store.storage, store.version, table)
    store.index.put(from_hex(table["scenario_key"]), merged)
    for name in group:
        if name != merged:
            store.storage.delete(name)
            store.index.forget(name)
