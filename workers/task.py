"""The farm's entry into the model: scenarios in, results out."""

from __future__ import annotations

import numpy as np

from workers import alike, cost, delicate, results
from workers.events import run as events
from workers.schema import Columns
from workers.slices import run


def simulate(scenarios: Columns) -> Columns:
    """RESULT_COLUMNS of each scenario, arrays of shape (rows,), in the order given.

    ``scenarios``: scenario and depot columns, shapes (rows,).
    """
    return results.finish(count(scenarios), scenarios)


def count(scenarios: Columns) -> Columns:
    """What ``workers.results.finish`` needs of each scenario, arrays of shape (rows,).

    Rows that no depot can tell apart run once (workers.alike). They run in slices, side by side, but for the delicate
    ones (workers.delicate), which are settled event by event.
    """
    first, same_as = alike.distinct(scenarios)
    distinct = {name: values[first] for name, values in scenarios.items()}
    counted = run.run(distinct)
    rows = np.flatnonzero(counted.pop("delicate"))
    if len(rows):
        settled = events.run({name: values[rows] for name, values in distinct.items()})
        for name, values in counted.items():
            values[rows] = settled[name]
    return {name: values[same_as] for name, values in counted.items()}


def estimate_seconds(scenarios: Columns) -> np.ndarray:
    """Run time of each scenario in a batch of a hundred and more, on one core, shape (rows,).

    A batch of a few costs several times as much a scenario, as numpy's cost per call is shared by the lanes. A scenario
    that is delicate from its start costs what its events do instead, and nothing where the run of another one in this
    table will do.
    """
    slices_s = cost.simulated_s(scenarios) * cost.seconds_in_slices(scenarios)
    return np.where(delicate.followed(scenarios), delicate.expected_seconds(scenarios), slices_s)
