"""The vectorized model with a clock: what it took over some rows, and batches of a size that is asked for."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from workers import alike, results, task
from workers.schema import Columns


class Took(NamedTuple):
    """Scenarios, those of them that ran (no depot can tell the others apart), their virtual time, the share of it that
    was simulated, CPU time."""

    rows: int
    runs: int
    virtual_s: float
    simulated: float
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.virtual_s / self.cpu_s

    @property
    def text(self) -> str:
        runs = "" if self.runs == self.rows else f" ({self.runs} run)"
        return (
            f"{self.rows} rows{runs}, {self.virtual_s:,.1f} scenario-seconds, {100 * self.simulated:.0f} % simulated, "
            f"in {self.cpu_s:.1f} s: {self.rate:,.2f} a second"
        )


def model(table: Columns) -> Took:
    """Runs the model as the farm does. ``table``: scenario and depot columns, shapes (rows,)."""
    runs = len(alike.distinct(table)[0])
    started = time.process_time()
    counted = task.count(table)
    results.finish(counted, table)
    cpu_s = time.process_time() - started
    virtual_s, simulated_s = table["horizon_s"].sum(), counted["simulated_ms"].sum() / 1e3
    return Took(len(table["horizon_s"]), runs, float(virtual_s), float(simulated_s / virtual_s), cpu_s)


def filled(table: Columns, lanes: int) -> Columns:
    """Each row with as many seeds as ``lanes`` have room for, its own first; shapes (rows x seeds,)."""
    rows = len(table["seed"])
    seeds = max(1, lanes // rows)
    repeated = {name: np.repeat(values, seeds) for name, values in table.items()}
    return repeated | {"seed": repeated["seed"] + np.tile(np.arange(seeds), rows)}
