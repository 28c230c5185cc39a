"""What a sweep is to run: scenarios by their number, worked out where they are asked for.

A plan of a grid is lazy (``sweep.plan.grid``), one of a points file holds its table. Everything behind it goes through
the numbers in windows, so that ten million scenarios take no more memory than a window of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from workers import MODEL_VERSION
from workers.policy import depot_columns
from workers.schema import Columns

WINDOW_ROWS = 1 << 15
"""Scenarios held at once; also the rows of a row group in results.parquet, so part of that file's bytes."""


class Plan(Protocol):
    """The scenarios of a sweep, numbered from 0 in input order."""

    def __len__(self) -> int: ...

    def rows(self, numbers: np.ndarray) -> Columns:
        """Their content: every scenario column but the id, and the depot columns; shapes (numbers,)."""

    def ids(self, numbers: np.ndarray) -> np.ndarray:
        """Their labels, texts of shape (numbers,)."""

    def distinct(self, name: str) -> list[Any]:
        """The values that occur in a column, sorted."""

    def digest(self) -> str:
        """A hash of every scenario, its label and order, and of the model's version: what makes a sweep this one."""


class TablePlan:
    """The scenarios of a table: see ``Plan``. ``scenarios``: complete columns; raises ScenarioError for a policy."""

    def __init__(self, scenarios: Columns, depots: Mapping[str, Mapping[str, Any]]) -> None:
        self._ids = scenarios["id"]
        self._content = {name: values for name, values in scenarios.items() if name != "id"}
        self._content |= depot_columns(scenarios, depots)

    def __len__(self) -> int:
        return len(self._ids)

    def rows(self, numbers: np.ndarray) -> Columns:
        return {name: values[numbers] for name, values in self._content.items()}

    def ids(self, numbers: np.ndarray) -> np.ndarray:
        return self._ids[numbers]

    def distinct(self, name: str) -> list[Any]:
        return np.unique(self._content[name]).tolist()

    def digest(self) -> str:
        said = hashlib.sha256(MODEL_VERSION.encode())
        for name, values in ({"id": self._ids} | self._content).items():
            said.update(f"\0{name}\0".encode())
            said.update("\0".join(values).encode() if values.dtype == object else values.tobytes())
        return said.hexdigest()


def windows(rows: int) -> Iterator[np.ndarray]:
    """The numbers from 0 to ``rows`` in order, at most WINDOW_ROWS at a time."""
    for first in range(0, rows, WINDOW_ROWS):
        yield np.arange(first, min(first + WINDOW_ROWS, rows))
