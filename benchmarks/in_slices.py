"""Runs scenarios in slices, also those that the model would settle event by event: for whatever is said of slices."""

from __future__ import annotations

from unittest import mock

import numpy as np

from workers import delicate, results
from workers.schema import Columns
from workers.slices import run


class LeftToEventsError(RuntimeError):
    """Scenarios that did not run in slices, in one sentence."""


def count(scenarios: Columns) -> Columns:
    """What ``workers.task.count`` gives, all of it in slices. Raises LeftToEventsError."""
    with mock.patch.object(delicate, "affordable", lambda table: np.zeros(len(table["cpus"]), bool)):
        counted = run.run(scenarios)
    left = counted.pop("delicate")
    if left.any():
        raise LeftToEventsError(f"{left.sum()} of {len(left)} scenarios were left to the events, not run in slices")
    return counted


def simulate(scenarios: Columns) -> Columns:
    """What ``workers.task.simulate`` gives, all of it in slices. Raises LeftToEventsError."""
    return results.finish(count(scenarios), scenarios)
