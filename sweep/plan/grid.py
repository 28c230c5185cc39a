"""A grid's scenarios: its points times its axes, over a workload, over a host, over the defaults.

Each of these is a layer of a few levels, picked by one dimension of the grid: the points or an axis. A layer covers
the ones below it. No table of all rows is ever made: a column depends on the dimensions of the layers that name it,
so each of its values is worked out and checked once a combination of those (``Lookup``), before anything runs, and
looked up for the rows that somebody asks for.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.config import AXIS_NAMES, RATE, Library
from sweep.plan.axes import COLUMNS, axis_values, grid_length
from sweep.plan.rate import PERIOD, overlay, period_us, refuse_both
from workers import MODEL_VERSION
from workers.policy import depot_columns
from workers.schema import SCENARIO_COLUMNS, Columns, ScenarioError, check_value
from workers.tables import check_row, content_ids, to_columns

NOTES = ("reported", "assumed", "sources")
"""What a point may say beside its columns; kept in the manifest."""

MOST_SCENARIOS = 100_000_000
"""More would take the driver more memory for the keys alone than it may use."""


@dataclass(frozen=True)
class Layer:
    """``levels``: what each level sets, column -> value; ``dimension``: the one that picks the level."""

    levels: Sequence[Mapping[str, Any]]
    dimension: int


@dataclass(frozen=True)
class Lookup:
    """A column's values, one for each combination of the levels of ``dimensions``, in that many dimensions."""

    dimensions: tuple[int, ...]
    values: np.ndarray

    def over(self, dimensions: tuple[int, ...]) -> np.ndarray:
        """The values in the dimensions of a superset, to be broadcast."""
        sizes = dict(zip(self.dimensions, self.values.shape, strict=True))
        return self.values.reshape([sizes.get(dimension, 1) for dimension in dimensions])


class GridPlan:
    """All combinations of the levels of a grid's dimensions, the last one fastest; see ``sweep.plan.Plan``."""

    def __init__(
        self, levels: Sequence[np.ndarray | int], columns: Mapping[str, Lookup], labels: Sequence[np.ndarray]
    ) -> None:
        """``levels``: of each dimension its numbers where they have an order, else how many levels it has.

        ``labels``: for each dimension its levels' part of a row's id; none where no point has a name.
        """
        self.levels, self.columns, self.labels = levels, columns, labels
        self.sizes = tuple(level if isinstance(level, int) else len(level) for level in levels)

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def rows(self, numbers: np.ndarray) -> Columns:
        taken = self._levels(numbers)
        return {
            name: np.broadcast_to(
                lookup.values[tuple(taken[d] for d in lookup.dimensions)] if lookup.dimensions else lookup.values,
                len(numbers),
            )
            for name, lookup in self.columns.items()
        }

    def ids(self, numbers: np.ndarray) -> np.ndarray:
        ids = np.full(len(numbers), "", object)
        if self.labels:
            parts = [part[level] for part, level in zip(self.labels, self._levels(numbers), strict=True)]
            ids = np.where(parts[0] == "", "", sum(parts[1:], parts[0]))
        absent = ids == ""
        if absent.any():
            ids[absent] = content_ids(self.rows(numbers[absent]))
        return ids

    def distinct(self, name: str) -> list[Any]:
        return np.unique(self.columns[name].values).tolist()

    def digest(self) -> str:
        several = [dimension for dimension, size in enumerate(self.sizes) if size > 1]  # the rest change no row
        said = hashlib.sha256(repr((MODEL_VERSION, [self.sizes[d] for d in several])).encode())
        for name, lookup in self.columns.items():
            dimensions = [several.index(d) for d in lookup.dimensions if d in several]
            said.update(repr((name, dimensions, lookup.values.reshape(-1).tolist())).encode())
        for part in self.labels:
            said.update(repr(part.tolist()).encode() if any(part) else b"")
        return said.hexdigest()

    def _levels(self, numbers: np.ndarray) -> list[np.ndarray]:
        """For each dimension the level of each row, shapes (rows,)."""
        return list(np.unravel_index(numbers, self.sizes))


def expand(grid: Any, host: Mapping[str, Any], workload: Mapping[str, Any], library: Library) -> GridPlan:
    """Every scenario of a grid, the last axis fastest, worked out lazily but checked at once.

    ``grid``: a GridConfig; ``host``, ``workload``: the columns that the configuration sets for all rows, used
    where a grid does not name its own. Raises ScenarioError: an empty grid, an unknown name, an impossible value.
    """
    said = {name: getattr(grid, name) for name in AXIS_NAMES if getattr(grid, name) is not None}
    _refuse_too_many(grid_length(said, grid.points))  # before a value of theirs is worked out
    axes = {name: axis_values(name, value) for name, value in said.items()}
    points = [row for number, point in enumerate(grid.points, 1) for row in _rows(_point(number, point))]
    if not axes and not points:
        raise ScenarioError("grid: it is empty; it needs an axis (grid.cpus=[8,16]) or points")
    sizes = [len(points) or 1, *map(len, axes.values())]
    _refuse_too_many(math.prod(sizes))
    _refuse_twice(axes, points)
    _refuse_repeated(points, math.prod(sizes[1:]))
    _refuse_silenced(workload, axes)
    axis_layers = {
        name: Layer([{name: value} for value in values], number)
        for number, (name, values) in enumerate(axes.items(), 1)
    }
    point_layer = Layer(points or [{}], 0)
    labels = _labels(points, axes)
    layers = [
        *_named("host", host, library.host, point_layer, axis_layers),
        *_named("workload", workload, library.workload, point_layer, axis_layers),
        _without(point_layer, ("host", "workload", "name", *NOTES)),
        *axis_layers.values(),
    ]
    columns = _columns(layers, sizes)
    _check_between(columns)
    return GridPlan([sizes[0], *levels_of(axes)], columns | _depots(columns, library), labels)


def _refuse_too_many(number: int) -> None:
    if number > MOST_SCENARIOS:
        raise ScenarioError(f"grid: {number:,} scenarios were given; allowed are at most {MOST_SCENARIOS:,}")


def levels_of(axes: Mapping[str, list[Any]]) -> list[np.ndarray | int]:
    """Of each axis its values where their order means something, else how many there are."""
    ordered = {name for name, column in COLUMNS.items() if column.kind in (int, float) and name != "seed"}
    return [np.array(values, float) if name in ordered else len(values) for name, values in axes.items()]


def _columns(layers: Sequence[Layer], sizes: Sequence[int]) -> dict[str, Lookup]:
    """Every scenario column but the id; raises ScenarioError for a missing column or a bad value."""
    columns = {}
    sets = [(layer, set().union(*layer.levels)) for layer in layers]
    for column in SCENARIO_COLUMNS:
        if column.name == "id":
            continue
        depends_on = _DEPENDS_ON.get(column.name, (column.name,))
        within = [layer for layer, names in sets if not names.isdisjoint(depends_on)]
        dimensions = tuple(sorted({layer.dimension for layer in within}))
        values = []
        for levels in itertools.product(*(range(sizes[d]) for d in dimensions)):
            taken = dict(zip(dimensions, levels, strict=True))
            value = _value(column.name, overlay([layer.levels[taken[layer.dimension]] for layer in within]))
            if value is None and column.required:
                cure = f"give grid.{column.name}=[...]" + " or workload=NAME" * (column.name != "cpus")
                raise ScenarioError(f"{column.name}: missing; it has no default: {cure}")
            values.append(check_value(column, column.default if value is None else value))
        table = to_columns([{column.name: value} for value in values])[column.name]
        columns[column.name] = Lookup(dimensions, table.reshape([sizes[d] for d in dimensions]))
    return columns


_DEPENDS_ON = {PERIOD: (PERIOD, RATE, "unmap_burst"), "active_cpus": ("active_cpus", "cpus")}
"""Columns whose value follows from more than what layers say of themselves."""


def _value(name: str, given: Mapping[str, Any]) -> Any:
    """A column's value from what layers set: the period from the rate, the active CPUs from all; None where absent."""
    if name == "active_cpus":
        return given.get(name, given.get("cpus"))
    return period_us(given) if name == PERIOD else given.get(name)


def _check_between(columns: Mapping[str, Lookup]) -> None:
    """The rules between columns, for each combination of the levels they depend on; raises ScenarioError."""
    for low, high in (("unmap_burst", "in_flight"), ("active_cpus", "cpus")):
        dimensions = tuple(sorted({*columns[low].dimensions, *columns[high].dimensions}))
        lows, highs = np.broadcast_arrays(columns[low].over(dimensions), columns[high].over(dimensions))
        for at in np.argwhere(lows > highs)[:1]:
            fits = dict.fromkeys(("unmap_burst", "in_flight", "active_cpus", "cpus"), 0)
            check_row(fits | {low: lows[tuple(at)].item(), high: highs[tuple(at)].item()})


def _depots(columns: Mapping[str, Lookup], library: Library) -> dict[str, Lookup]:
    """The depot columns, for each combination of policy and CPUs."""
    named = ("policy", "cpus")
    dimensions = tuple(sorted({d for name in named for d in columns[name].dimensions}))
    arrays = np.broadcast_arrays(*(columns[name].over(dimensions) for name in named))
    shape = arrays[0].shape
    flat = {name: array.reshape(-1) for name, array in zip(named, arrays, strict=True)}
    depots = depot_columns(flat, library.depot)
    return {name: Lookup(dimensions, values.reshape(shape)) for name, values in depots.items()}


def _point(number: int, point: Mapping[str, Any]) -> dict[str, Any]:
    """A point: its name and notes as they are, each other value as the list of an axis; None stands for absent."""
    known = ("name", *NOTES, *AXIS_NAMES)
    checked: dict[str, Any] = {}
    for key, value in point.items():
        if key not in known:
            raise ScenarioError(f"grid.points, point {number}: {key} is unknown; known are {', '.join(known)}")
        if key == "name" and isinstance(value, (list, dict)):
            raise ScenarioError(f"grid.points, point {number}: name: {value!r} was given; allowed is one text")
        if value is not None:
            checked[key] = (
                value if key in ("name", *NOTES) else axis_values(key, value, f"grid.points, point {number}: ")
            )
    return checked


def _rows(point: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each combination of the point's axes (policy: [array, list] gives two); notes are none."""
    plain = {key: value for key, value in point.items() if key not in AXIS_NAMES}
    lists = {key: value for key, value in point.items() if key in AXIS_NAMES}
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
        refuse_both(where, "grid.")


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
    return [Layer([files[level[group]] if group in level else everywhere for level in by.levels], by.dimension)]


def _without(layer: Layer, names: tuple[str, ...]) -> Layer:
    return Layer([{k: v for k, v in level.items() if k not in names} for level in layer.levels], layer.dimension)


def _labels(points: Sequence[Mapping[str, Any]], axes: Mapping[str, Any]) -> list[np.ndarray]:
    """Parts of the ids of named points: the name, and the value on each axis of more than one value."""
    if not any("name" in point for point in points):
        return []
    names = np.array([str(point.get("name", "")) for point in points], object)
    said = ([f":{value}" if len(values) > 1 else "" for value in values] for values in axes.values())
    return [names, *(np.array(texts, object) for texts in said)]


def _refuse_repeated(points: Sequence[Mapping[str, Any]], rows_each: int) -> None:
    """Raises ScenarioError for two points of one name, or two without that are the same."""
    seen: dict[str, int] = {}
    for number, point in enumerate(points):
        said = str(point.get("name", sorted((k, v) for k, v in point.items() if k not in NOTES)))
        first = seen.setdefault(said, number)
        if first != number:
            rows = f"rows {first * rows_each + 1} and {number * rows_each + 1}"
            raise ScenarioError(f"id: {point.get('name', 'the same point')!r} was given in {rows}; ids must differ")


def notes(grid: Any) -> list[dict[str, Any]]:
    """What the points say beside their columns (what was reported, assumed, and where), with their names."""
    return [
        {"point": point.get("name", str(number))} | {key: point[key] for key in NOTES if point.get(key) is not None}
        for number, point in enumerate(grid.points, 1)
        if any(point.get(key) is not None for key in NOTES)
    ]
