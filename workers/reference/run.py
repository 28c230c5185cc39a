"""Scenarios in, results out: the farm's columns, one scenario at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers.reference.machine import simulate
from workers.results import finish
from workers.schema import Columns


def simulate_columns(scenarios: Columns) -> Columns:
    """RESULT_COLUMNS of each row, shapes (rows,). ``scenarios``: scenario and depot columns."""
    rows = [simulate(row, row) for row in _rows(scenarios)]
    counted = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return finish(counted, scenarios)


def _rows(columns: Columns) -> list[dict[str, Any]]:
    """The table's rows as plain Python values, which the twin's arithmetic wants."""
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
