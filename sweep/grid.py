"""A grid's scenarios: its points times its axes, over a workload, over a host, over the defaults.

Each of these is a layer: a few levels, and which of them each row takes. A layer covers the
ones below it, column by column, so that 100,000 rows cost a few array operations a column.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.axes import axis_values
from sweep.config import AXIS_NAMES, RATE, Library
from workers.schema import Columns, ScenarioError, complete_columns

PERIOD = "burst_period_us"
NOTES = ("reported", "assumed", "sources")
"""What a point may say beside its columns; kept in the manifest."""


@dataclass(frozen=True)
class Layer:
    """``levels``: what each level sets, column -> value; ``taken``: the level of each row, shape (rows,)."""

    levels: Sequence[Mapping[str, Any]]
    taken: np.ndarray


def expand(grid: Any, host: Mapping[str, Any], workload: Mapping[str, Any], library: Library) -> Columns:
    """Every scenario of a grid: all scenario columns, shapes (rows,), the last axis fastest.

    ``grid``: a GridConfig; ``host``, ``workload``: the columns that the configuration sets for all rows, used
    where a grid does not name its own. Raises ScenarioError: an empty grid, an unknown name, an impossible value.
    """
    axes = {name: axis_values(name, getattr(grid, name)) for name in AXIS_NAMES if getattr(grid, name) is not None}
    points = [row for number, point in enumerate(grid.points, 1) for row in _rows(_point(number, point))]
    if not axes and not points:
        raise ScenarioError("grid: it is empty; it needs an axis (grid.cpus=[8,16]) or points")
    _refuse_twice(axes, points)
    _refuse_silenced(workload, axes)
    taken = _product([len(points) or 1, *map(len, axes.values())])
    axis_layers = {
        name: Layer([{name: value} for value in values], index)
        for (name, values), index in zip(axes.items(), taken[1:], strict=True)
    }
    point_layer = Layer(points or [{}], taken[0])
    layers = [
        *_named("host", host, library.host, point_layer, axis_layers),
        *_named("workload", workload, library.workload, point_layer, axis_layers),
        _without(point_layer, ("host", "workload", "name", *NOTES)),
        *axis_layers.values(),
    ]
    table = _period(_overlay(layers, len(taken[0])))
    if points:
        table["id"] = _labels(points, axes, taken)
    return complete_columns(table)


def _product(sizes: list[int]) -> list[np.ndarray]:
    """For each axis the level of every row of the product, shapes (rows,)."""
    rows = math.prod(sizes)
    out, repeat = [], rows
    for size in sizes:
        repeat //= size
        out.append(np.arange(rows) // repeat % size)
    return out


def _point(number: int, point: Mapping[str, Any]) -> dict[str, Any]:
    """A point: its name and notes as they are, each other value as the list of an axis; None stands for absent."""
    known = ("name", *NOTES, *AXIS_NAMES)
    checked: dict[str, Any] = {}
    for key, value in point.items():
        if key not in known:
            raise ScenarioError(f"grid.points, point {number}: {key} is unknown; known are {', '.join(known)}")
        if value is not None:
            checked[key] = (
                value if key in ("name", *NOTES) else axis_values(key, value, f"grid.points, point {number}: ")
            )
    return checked


def _rows(point: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each combination of the point's lists (policy: [array, list] gives two)."""
    plain = {key: value for key, value in point.items() if not isinstance(value, list)}
    lists = {key: value for key, value in point.items() if isinstance(value, list)}
    several = [key for key, values in lists.items() if len(values) > 1]
    rows = [plain | dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    return [
        row | {"name": ":".join([str(row["name"]), *(str(row[k]) for k in several)])} if "name" in row else row
        for row in rows
    ]


def _refuse_twice(axes: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> None:
    for name in axes:
        if any(name in point for point in points):
            raise ScenarioError(f"grid.{name}: an axis, and given by grid.points too; leave one of them out")
    for where in (axes, *points):
        if RATE in where and PERIOD in where:
            raise ScenarioError(f"grid.{RATE}: given together with {PERIOD}; one follows from the other")


def _refuse_silenced(workload: Mapping[str, Any], axes: Mapping[str, Any]) -> None:
    """Raises ScenarioError where the grid covers every column of the configuration's workload."""
    covered = set(axes) | ({RATE, PERIOD} if {RATE, PERIOD} & set(axes) else set())
    if workload and covered.issuperset(workload):
        names = ", ".join(workload)
        raise ScenarioError(f"workload: without effect, as the grid sets {names} itself; empty them (grid.NAME=null)")


def _named(
    group: str,
    everywhere: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    points: Layer,
    axes: dict[str, Layer],
) -> list[Layer]:
    """The layer of hosts or workloads: those an axis or the points name, else the configuration's."""
    by = axes.pop(group, points)
    for level in by.levels:
        if group in level and level[group] not in files:
            raise ScenarioError(f"grid.{group}: {level[group]!r} was given; allowed are {', '.join(sorted(files))}")
    return [Layer([files[level[group]] if group in level else everywhere for level in by.levels], by.taken)]


def _without(layer: Layer, names: tuple[str, ...]) -> Layer:
    return Layer([{k: v for k, v in level.items() if k not in names} for level in layer.levels], layer.taken)


def _overlay(layers: Sequence[Layer], rows: int) -> dict[str, np.ndarray]:
    """Each column's values, None where no layer sets it; rate and period put each other out. Shapes (rows,)."""
    table: dict[str, np.ndarray] = {}
    for layer in layers:
        for name in dict.fromkeys(name for level in layer.levels for name in level):
            values = np.array([level.get(name) for level in layer.levels], object)[layer.taken]
            present = np.array([name in level for level in layer.levels])[layer.taken]
            below = table.get(name, np.full(rows, None, object))
            table[name] = np.where(present, values, below)
            other = {RATE: PERIOD, PERIOD: RATE}.get(name)
            if other in table:
                table[other][present] = None
    return table


def _period(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """burst_period_us from the nominal rate, where that is what was given."""
    if RATE not in table:
        return table
    rate = table.pop(RATE)
    rated = rate != None  # noqa: E711 (an elementwise comparison)
    burst = table.get("unmap_burst")
    if burst is None or (burst[rated] == None).any():  # noqa: E711
        raise ScenarioError("unmap_burst: missing; it has no default")
    period = table.get(PERIOD, np.full(len(rate), None, object)).copy()
    period[rated] = 1e6 * burst[rated].astype(float) / rate[rated].astype(float)
    return table | {PERIOD: period}


def _labels(points: Sequence[Mapping[str, Any]], axes: Mapping[str, Any], taken: list[np.ndarray]) -> np.ndarray:
    """Ids of named points: the name, and the value on each axis of more than one value; else empty."""
    labels = np.array([str(point.get("name", "")) for point in points], object)[taken[0]]
    for values, index in zip(axes.values(), taken[1:], strict=True):
        if len(values) > 1:
            labels = np.where(labels == "", "", labels + np.array([f":{value}" for value in values], object)[index])
    return labels


def notes(grid: Any) -> list[dict[str, Any]]:
    """What the points say beside their columns (what was reported, assumed, and where), with their names."""
    return [
        {"point": point.get("name", str(number))} | {key: point[key] for key in NOTES if point.get(key) is not None}
        for number, point in enumerate(grid.points, 1)
        if any(point.get(key) is not None for key in NOTES)
    ]
