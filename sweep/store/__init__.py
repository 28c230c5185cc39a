"""The results of all sweeps, by scenario_key: chunk files of one model version, shared and never changed.

A file is written once, whole, under the hash of its bytes, and deleted only after another one holds its rows. So any
number of sweeps may use a store at the same time, and whatever was killed leaves nothing that has to be repaired.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from sweep.storage import Storage
from sweep.store import chunk
from sweep.store.index import Index
from sweep.store.keys import from_hex
from workers import MODEL_VERSION


class Store:
    """The chunk files below ``storage`` and the index of what is in them."""

    def __init__(self, storage: Storage, version: str = MODEL_VERSION) -> None:
        self.storage, self.version = storage, version
        self.index = Index()

    def load(self, delete: bool = True) -> list[str]:
        """Indexes the files that it does not know yet; returns the names of damaged ones, which it may ``delete``."""
        damaged = []
        known = set(self.index.names)
        for name, _ in self.storage.names(f"{self.version}/"):
            if name in known or not name.endswith(chunk.ENDING):
                continue
            try:
                self.index.put(from_hex(self.read(name, ["scenario_key"])["scenario_key"]), name)
            except chunk.DamagedChunk:
                damaged.append(name)
                if delete:
                    self.storage.delete(name)
            except FileNotFoundError:  # another sweep has just put its rows into a larger file
                continue
        return damaged

    def close(self) -> None:
        """Lets go of the index."""
        self.index = Index()

    def unknown(self, keys: np.ndarray) -> np.ndarray:
        """Which of the keys are neither done nor being run, shape (keys,)."""
        return self.index.find(keys)[0] < 0

    def read(self, name: str, columns: list[str] | None = None) -> pl.DataFrame:
        """A chunk; raises DamagedChunk, or FileNotFoundError where it is gone."""
        return chunk.decode(name, self.storage.read(name), columns)

    def reload(self, lost: str) -> None:
        """The file ``lost`` is no more, and maybe others: what was in them is in files yet unknown, or is unknown."""
        self.load()
        there = {name for name, _ in self.storage.names(f"{self.version}/")} - {lost}
        for name in self.index.rows_by_file():
            if name not in there:
                self.index.forget(name)


def write_chunk(storage: Storage, version: str, table: pl.DataFrame) -> str:
    """Writes a chunk and returns its name; raises OSError."""
    data = chunk.encode(table)
    name = chunk.name_of(data, version)
    storage.write(name, data)
    return name
