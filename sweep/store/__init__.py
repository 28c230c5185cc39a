"""The results of all sweeps, by scenario_key: chunk files of one model version, shared and never changed.

A file is written once, whole, under the hash of its bytes, and deleted only after another one holds its rows. So any
number of sweeps may use a store at the same time, and whatever was killed leaves nothing that has to be repaired.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import polars as pl

from sweep.storage import Storage
from sweep.store import chunk
from sweep.store.index import Index
from sweep.store.keys import from_hex
from workers import MODEL_VERSION
from workers.schema import ScenarioError


class Store:
    """The chunk files below ``storage`` and the index of what is in them.

    ``left``: damaged files that could not be deleted, and why.
    """

    def __init__(self, storage: Storage, version: str = MODEL_VERSION) -> None:
        self.storage, self.version = storage, version
        self.index = Index()
        self.left: dict[str, str] = {}

    def load(self, delete: bool = True) -> list[str]:
        """Indexes the files that it does not know yet; returns the names of damaged ones, which it may ``delete``.

        Raises ScenarioError where the store or one of its files cannot be read.
        """
        damaged = []
        known = set(self.index.names)
        for name in self.names():
            if name in known or not name.endswith(chunk.ENDING):
                continue
            try:
                self.index.put(from_hex(self.read(name, ["scenario_key"])["scenario_key"]), name)
            except chunk.DamagedChunk:
                damaged.append(name)
                if delete:
                    self._delete(name)
            except FileNotFoundError:  # another sweep has just put its rows into a larger file
                continue
        return damaged

    def told(self, damaged: list[str]) -> list[str]:
        """What to tell of the damaged files that ``load`` named, a line each."""
        ends = [f"cannot be deleted ({self.left[name]})" if name in self.left else "is deleted" for name in damaged]
        return [
            f"store: {name} was damaged and {end}; its points run again"
            for name, end in zip(damaged, ends, strict=True)
        ]

    def close(self) -> None:
        """Lets go of the index."""
        self.index = Index()

    def unknown(self, keys: np.ndarray) -> np.ndarray:
        """Which of the keys are neither done nor being run, shape (keys,)."""
        return self.index.find(keys)[0] < 0

    def names(self) -> list[str]:
        """The files of this version, sorted; raises ScenarioError where they cannot be listed."""
        with self._readable(""):
            return [name for name, _ in self.storage.names(f"{self.version}/")]

    def read(self, name: str, columns: list[str] | None = None) -> pl.DataFrame:
        """A chunk; raises DamagedChunk, FileNotFoundError where it is gone, ScenarioError where it cannot be read."""
        with self._readable(f"/{name}"):
            return chunk.decode(name, self.storage.read(name), columns)

    def reload(self, lost: str) -> None:
        """The file ``lost`` is no more, and maybe others: what was in them is in files yet unknown, or is unknown.

        Raises ScenarioError as ``load`` does.
        """
        self.load()
        there = {*self.names()} - {lost}
        for name in self.index.rows_by_file():
            if name not in there:
                self.index.forget(name)

    def _delete(self, name: str) -> None:
        try:
            self.storage.delete(name)
        except OSError as error:
            self.left[name] = error.strerror or str(error)

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            where, why = f"{self.storage.url}{name}", error.strerror or error
            raise ScenarioError(f"store: {where} cannot be read ({why})") from None


def write_chunk(storage: Storage, version: str, table: pl.DataFrame) -> str:
    """Writes a chunk and returns its name; raises OSError."""
    data = chunk.encode(table)
    name = chunk.name_of(data, version)
    storage.write(name, data)
    return name
