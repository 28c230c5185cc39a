"""Scenarios in, counters out, one scenario after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers import params
from workers.events.machine import Machine
from workers.phases import uniform_phases
from workers.schema import Columns


def run(scenarios: Columns) -> Columns:
    """The counters of ``workers.results.finish`` for each scenario, shapes (rows,).

    ``scenarios``: scenario and depot columns, shapes (rows,), at least one row.
    """
    rows = len(scenarios["cpus"])
    found = [machine({name: values[i : i + 1] for name, values in scenarios.items()}).run() for i in range(rows)]
    return {name: np.array([row[name] for row in found]) for name in found[0]}


def machine(scenario: Columns) -> Machine:
    """The machine of one scenario, shapes (1,), ready to run."""
    row: dict[str, Any] = {name: values.tolist()[0] for name, values in scenario.items()}
    return Machine(row, row, uniform_phases(params.from_columns(scenario)).tolist())
