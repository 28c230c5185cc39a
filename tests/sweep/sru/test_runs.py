"""The spike against the model: as many as a ring takes."""

from __future__ import annotations

import numpy as np

from sweep.sru.runs import spike
from tests.sweep.capacity.standin import LIBRARY, host
from workers.policy import depot_columns
from workers.schema import Columns
from workers.tables import complete_row, to_columns
from workers.task import simulate


def run(more: int) -> Columns:
    """A spike of ``more`` unmaps a CPU than it has."""
    row = host().scenario | spike(host().scenario) | {"horizon_s": 1.2}
    row |= {name: row[name] + more for name in ("unmap_burst", "in_flight")}
    columns = to_columns([complete_row(row)])
    return simulate(columns | depot_columns(columns, LIBRARY.depot))


def test_a_spike_fills_the_rings_and_does_not_overflow_them() -> None:
    spiked = run(more=0)
    assert np.all(spiked["iovas_drained_by_timer"] > 0)
    assert np.all(spiked["iovas_drained_locally"] == 0)
    assert np.all(run(more=1)["iovas_drained_locally"] > 0)
