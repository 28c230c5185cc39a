"""The vectorized model with a clock: what it took over some rows, and batches of a size that is asked for."""

from __future__ import annotations

import time
from typing import NamedTuple
from unittest import mock

import numpy as np

from workers import run, task
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
    kept: Columns = {}
    unwatched = run.run

    def keep(scenarios: Columns) -> Columns:
        counted = unwatched(scenarios)
        whole_ms = 1e3 * scenarios["horizon_s"]
        kept.update(
            simulated_ms=np.where(counted["delicate"], whole_ms, counted["simulated_ms"]),
            horizon_s=scenarios["horizon_s"],
        )
        return counted

    with mock.patch.object(run, "run", keep):
        started = time.process_time()
        task.simulate(table)
        cpu_s = time.process_time() - started
    virtual_s, simulated = table["horizon_s"].sum(), kept["simulated_ms"].sum() / 1e3 / kept["horizon_s"].sum()
    return Took(len(table["horizon_s"]), len(kept["horizon_s"]), float(virtual_s), float(simulated), cpu_s)


def filled(table: Columns, lanes: int) -> Columns:
    """Each row with as many seeds as ``lanes`` have room for, its own first; shapes (rows x seeds,)."""
    rows = len(table["seed"])
    seeds = max(1, lanes // rows)
    repeated = {name: np.repeat(values, seeds) for name, values in table.items()}
    return repeated | {"seed": repeated["seed"] + np.tile(np.arange(seeds), rows)}
