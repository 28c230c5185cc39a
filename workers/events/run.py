"""Scenarios in, counters out, one scenario after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers import alike, params
from workers.events.counters import counters
from workers.events.machine import Machine
from workers.phases import uniform_phases
from workers.schema import Columns


def run(scenarios: Columns) -> Columns:
    """The counters of ``workers.results.finish`` for each scenario, shapes (rows,).

    ``scenarios``: scenario and depot columns, shapes (rows,), at least one row. What is alike (``workers.alike``) from
    a depot on that refused no magazine is one run.
    """
    found: list[dict[str, Any]] = [{}] * len(scenarios["cpus"])
    for rows in alike.by_capacity(scenarios):
        ran: Machine | None = None
        for row in rows:
            if ran is None or ran.refused:
                ran = machine({name: values[row : row + 1] for name, values in scenarios.items()})
                ran.run()
            found[row] = counters(ran, scenarios["trim_threshold"][row])
    return {name: np.array([row[name] for row in found]) for name in found[0]}


def machine(scenario: Columns) -> Machine:
    """The machine of one scenario, shapes (1,), ready to run."""
    row: dict[str, Any] = {name: values.tolist()[0] for name, values in scenario.items()}
    return Machine(row, row, uniform_phases(params.from_columns(scenario)).tolist())
