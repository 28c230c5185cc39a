"""The farm's entry into the model: scenarios in, results out."""

from __future__ import annotations

import numpy as np

from workers import delicate, results, run
from workers.events import run as events
from workers.schema import DEPOT_COLUMNS, RCACHE_MAX_PAGES, Columns, parse_iova_pages

BASE_ROWS = 60
SECONDS_PER_ROW = 4e-4


def simulate(scenarios: Columns) -> Columns:
    """RESULT_COLUMNS of each scenario, arrays of shape (rows,), in the order given.

    ``scenarios``: scenario and depot columns, shapes (rows,).
    """
    return results.finish(count(scenarios), scenarios)


def count(scenarios: Columns) -> Columns:
    """What ``workers.results.finish`` needs of each scenario, arrays of shape (rows,).

    Rows that no depot can tell apart run once. All run in slices, side by side; the delicate ones (workers.delicate)
    are settled event by event.
    """
    first, same_as = _distinct(scenarios)
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

    Measured on the default grid: the steps a scenario takes follow its horizon, a step's cost its CPUs. A batch of a
    few costs several times as much a scenario: numpy's cost per call is shared by the lanes. The events of a scenario
    that is likely to turn out delicate come on top.
    """
    slices = (BASE_ROWS + scenarios["active_cpus"]) * SECONDS_PER_ROW
    return scenarios["horizon_s"] * slices + delicate.expected_seconds(scenarios)


def _distinct(scenarios: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Rows to run, and for each row which of those is its own run.

    Where every IOVA is oversize the rcache plays no part, so two policies give the same run.
    """
    names = [name for name in scenarios if name != "id"]
    depot = {"policy", *(c.name for c in DEPOT_COLUMNS)}
    bypasses = {text: min(parse_iova_pages(text)[0]) > RCACHE_MAX_PAGES for text in set(scenarios["iova_pages"])}
    seen: dict[tuple[object, ...], int] = {}
    first: list[int] = []
    same_as: list[int] = []
    for row, values in enumerate(zip(*(scenarios[name].tolist() for name in names), strict=True)):
        content = dict(zip(names, values, strict=True))
        alone = bypasses[content["iova_pages"]]
        key = tuple(value for name, value in content.items() if not (alone and name in depot))
        if key not in seen:
            seen[key] = len(first)
            first.append(row)
        same_as.append(seen[key])
    return np.array(first, dtype=np.int64), np.array(same_as, dtype=np.int64)
