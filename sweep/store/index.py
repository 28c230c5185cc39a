"""Which scenarios are done, and where: from scenario_key to the chunk file and its row.

Sorted arrays of 16-byte keys, 24 bytes a scenario in all. A few arrays of growing size instead of one, so that a
chunk is added without moving all others, and none of more than RUN_ROWS, so that merging needs little memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RUN_ROWS = 1 << 20
PENDING = ""
"""In place of a file's name: the scenario is being run."""


@dataclass
class Run:
    """Keys in order, and for each the number of its file and its row there; shapes (keys,)."""

    keys: np.ndarray
    files: np.ndarray
    rows: np.ndarray


class Index:
    """Scenarios known, each with one place."""

    def __init__(self) -> None:
        self.names: list[str] = [PENDING]
        self._numbers: dict[str, int] = {PENDING: 0}
        self._runs: list[Run] = []
        self._gone: set[str] = set()

    def __len__(self) -> int:
        return sum(len(run.keys) for run in self._runs)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where each key is: numbers of files (-1: unknown; names in ``names``) and rows there, shapes (keys,)."""
        files, rows = np.full(len(keys), -1, np.int32), np.zeros(len(keys), np.int32)
        for run, at, where in self._located(keys):
            files[where], rows[where] = run.files[at], run.rows[at]
        return files, rows

    def put(self, keys: np.ndarray, name: str) -> None:
        """Distinct ``keys`` are the rows of file ``name`` now (or PENDING), in this order."""
        self._gone.discard(name)
        number = self._numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        rows = np.arange(len(keys), dtype=np.int32)
        new = np.ones(len(keys), bool)
        for run, at, where in self._located(keys):
            run.files[at], run.rows[at] = number, rows[where]
            new[where] = False
        if new.any():
            order = np.argsort(keys[new], kind="stable")
            self._runs.append(Run(keys[new][order], np.full(len(order), number, np.int32), rows[new][order]))
            self._merge()

    def rows_by_file(self) -> dict[str, int]:
        """How many scenarios are in each file that ``names`` knows; 0 where all of them are in others."""
        counts = np.zeros(len(self.names), np.int64)
        for run in self._runs:
            counts += np.bincount(run.files, minlength=len(self.names))
        return {
            name: int(count)
            for name, count in zip(self.names, counts, strict=True)
            if name not in self._gone and name != PENDING
        }

    def forget(self, name: str) -> None:
        """There is no file ``name`` any more."""
        self._gone.add(name)
        number = self._numbers.get(name, -1)
        for run in self._runs:
            kept = run.files != number
            if not kept.all():  # to copy ten million keys for each small file that is merged would take minutes
                run.keys, run.files, run.rows = run.keys[kept], run.files[kept], run.rows[kept]

    def _located(self, keys: np.ndarray) -> list[tuple[Run, np.ndarray, np.ndarray]]:
        """Each run that holds some of the keys: the places in it, and which of the keys they are of."""
        order = np.argsort(keys)  # neighbours are looked up in neighbouring memory
        ordered, found = keys[order], []
        for run in self._runs:
            if not len(run.keys):
                continue
            at = np.minimum(np.searchsorted(run.keys, ordered), len(run.keys) - 1)
            here = run.keys[at] == ordered
            if here.any():
                found.append((run, at[here], order[here]))
        return found

    def _merge(self) -> None:
        while len(self._runs) > 1:
            first, second = self._runs[-2:]
            if len(first.keys) > 2 * len(second.keys) or len(first.keys) + len(second.keys) > RUN_ROWS:
                return
            keys = np.concatenate([first.keys, second.keys])
            order = np.argsort(keys, kind="stable")
            files, rows = np.concatenate([first.files, second.files]), np.concatenate([first.rows, second.rows])
            self._runs[-2:] = [Run(keys[order], files[order], rows[order])]


def first_of_each(keys: np.ndarray) -> np.ndarray:
    """The places of the first of each distinct key, ascending."""
    return np.sort(np.unique(keys, return_index=True)[1])
