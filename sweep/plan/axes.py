"""An axis of a grid: from what the configuration says to its list of values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sweep.config import AXIS_NAMES, RATE
from workers.schema import SCENARIO_COLUMNS, Column, ScenarioError, check_value

NAMED = ("host", "workload")
COLUMNS = {c.name: c for c in SCENARIO_COLUMNS} | {
    RATE: Column(RATE, float, "nominal unmaps/s of an active CPU", low=1e-3, high=1e9)
}
SCALES = ("linear", "log", "log2")
SPEC_KEYS = ("start", "stop", "num", "scale")
_RULE = "allowed is {start, stop, num, scale: linear|log|log2}"


def axis_values(name: str, said: Any, where: str = "grid.") -> list[Any]:
    """The values of axis ``name``: of one value, of a list, or of {start, stop, num, scale}, checked.

    Whole-number columns get whole numbers. On ``log2`` without ``num`` each value is twice the
    one before. Raises ScenarioError for an empty axis, a repeated value, a bad one or a bad spec.
    """
    try:
        values = _spaced(name, said) if isinstance(said, dict) else said if isinstance(said, list) else [said]
        if not values:
            raise ScenarioError(f"{name}: an empty list was given; an axis needs a value or more")
        values = [str(v) if name in NAMED else check_value(COLUMNS[name], v) for v in values]
        seen: set[Any] = set()
        for value in values:
            if value in seen:
                more = f"; num {said['num']} is too many here" if isinstance(said, dict) else ""
                raise ScenarioError(f"{name}: {value!r} was given twice; the values of an axis must differ{more}")
            seen.add(value)
    except ScenarioError as error:
        raise ScenarioError(f"{where}{error}") from None
    return values


def axis_length(said: Any) -> int:
    """How many values an axis has at least, before any is worked out: 1 for a spec without ``num``, or a bad one."""
    if isinstance(said, dict):
        num = said.get("num", 1)
        return num if isinstance(num, int) and num > 0 else 1
    return len(said) if isinstance(said, list) else 1


def grid_length(axes: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> int:
    """How many scenarios a grid has, at least, by what it says of its axes and points."""
    rows = sum(math.prod(axis_length(v) for k, v in point.items() if k in AXIS_NAMES) for point in points)
    return (rows or 1) * math.prod(map(axis_length, axes.values()))


def _spaced(name: str, spec: dict[str, Any]) -> list[float]:
    column = COLUMNS.get(name)
    if column is None or column.kind not in (int, float):
        raise ScenarioError(f"{name}: {spec} was given; allowed is a value or a list: start and stop are for numbers")
    for key in spec:
        if key not in SPEC_KEYS:
            raise ScenarioError(f"{name}.{key}: unknown key; {_RULE}")
    for key in ("start", "stop"):
        if spec.get(key) is None:
            raise ScenarioError(f"{name}.{key}: missing; {_RULE}")
    scale = spec.get("scale", "linear")
    if scale not in SCALES:
        raise ScenarioError(f"{name}.scale: {scale!r} was given; allowed are {', '.join(SCALES)}")
    start, stop = (_number(name, key, spec.get(key)) for key in ("start", "stop"))
    if stop < start or (scale != "linear" and start <= 0):
        least = "" if scale == "linear" else " and a start above 0"
        raise ScenarioError(f"{name}: start {start:g} and stop {stop:g} were given; allowed is start <= stop{least}")
    for key, end in (("start", start), ("stop", stop)):
        if not column.low <= end <= column.high:  # beyond, what lies between may be no number either
            raise ScenarioError(f"{name}.{key}: {end:g} was given; allowed is {column.low:g} to {column.high:g}")
    num = spec.get("num")
    if num is None and scale == "log2":
        return [math.ldexp(start, k) for k in range(int(math.log2(stop) - math.log2(start) + 1e-9) + 1)]
    if num is None:
        raise ScenarioError(f"{name}.num: missing; {_RULE}")
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num <= 1_000_000:
        raise ScenarioError(f"{name}.num: {num!r} was given; allowed is a whole number from 1 to 1000000")
    spaced = np.linspace(start, stop, num) if scale == "linear" else np.geomspace(start, stop, num)
    if column.kind is int:
        return [float(round(value)) for value in spaced]
    return [min(max(float(f"{value:.6g}"), start), stop) for value in spaced]  # rounded, and yet never beyond an end


def _number(name: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ScenarioError(f"{name}.{key}: {value!r} was given; {_RULE}")
    return float(value)
