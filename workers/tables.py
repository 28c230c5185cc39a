"""Scenarios completed and checked, one row or a table of many, by the columns of ``workers.schema``."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from workers.schema import SCENARIO_COLUMNS, Column, Columns, ScenarioError, check_value, column


def check_row(row: dict[str, Any]) -> None:
    """The rules between columns of one completed scenario; raises ScenarioError."""
    if row["unmap_burst"] > row["in_flight"]:
        raise ScenarioError(
            f"unmap_burst: {row['unmap_burst']} was given; allowed is at most in_flight ({row['in_flight']})"
        )
    if row["active_cpus"] > row["cpus"]:
        raise ScenarioError(f"active_cpus: {row['active_cpus']} was given; allowed is at most cpus ({row['cpus']})")


def _refuse_unknown(names: Iterable[str]) -> None:
    """Raises ScenarioError for the first name that no column has, with what was meant, where that can be told."""
    known = [c.name for c in SCENARIO_COLUMNS]
    for name in names:
        if name in known:
            continue
        hint = f"known are {', '.join(known)}"
        if name == "unmap_rate_per_s":
            hint = "give burst_period_us, 1e6 x unmap_burst / rate"
        elif close := difflib.get_close_matches(name, known, n=1):
            hint = f"did you mean {close[0]}?"
        said = name if name.isidentifier() else repr(name)  # a blank in it, or nothing at all
        raise ScenarioError(f"{said}: unknown column; {hint}")


def complete_row(row: dict[str, Any]) -> dict[str, Any]:
    """A full, checked scenario from the columns given; raises ScenarioError.

    Unknown and missing columns are refused by name. ``id`` may stay empty; None counts as absent.
    """
    _refuse_unknown(row)
    full: dict[str, Any] = {}
    for col in SCENARIO_COLUMNS:
        value = row.get(col.name)
        if value is None:
            if col.required:
                raise ScenarioError(f"{col.name}: missing; it has no default")
            value = full["cpus"] if col.name == "active_cpus" else col.default
        full[col.name] = check_value(col, value)
    check_row(full)
    return full


_DTYPES = {int: np.int64, float: np.float64, bool: np.bool_, str: object}


def to_columns(rows: list[dict[str, Any]]) -> Columns:
    """Completed rows (all with the same keys) as a table of typed arrays, each of shape (rows,)."""
    names = rows[0] if rows else ()
    return {name: np.array([r[name] for r in rows], dtype=_DTYPES[column(name).kind]) for name in names}


def complete_columns(given: Mapping[str, Sequence[Any] | np.ndarray]) -> Columns:
    """A full, checked table from the columns given: ``complete_row`` for many rows at once.

    ``given``: equally long arrays or lists of numbers, booleans or texts; None and "" stand for the default.
    Absent ids become ``content_ids``. Returns every scenario column, shapes (rows,), in the schema's order.
    Raises ScenarioError for the first unknown or missing column, bad value (its row counted from 1), repeated id or
    repeated row without one.
    """
    _refuse_unknown(given)
    rows = len(next(iter(given.values()), ()))
    full: Columns = {}
    for col in SCENARIO_COLUMNS:
        if col.required and col.name not in given:
            raise ScenarioError(f"{col.name}: missing; it has no default")
        usual = 0 if col.required else full["cpus"] if col.name == "active_cpus" else col.default
        default: np.ndarray = np.full(rows, usual, _DTYPES[col.kind])
        full[col.name] = _check_column(col, given[col.name], default) if col.name in given else default
    broken = (full["unmap_burst"] > full["in_flight"]) | (full["active_cpus"] > full["cpus"])
    for row in np.flatnonzero(broken)[:1]:
        _in_row(row, check_row, {name: values[row] for name, values in full.items()})
    absent = full["id"] == ""
    if absent.any():
        full["id"][absent] = content_ids({name: values[absent] for name, values in full.items()})
    _refuse_repeated(full["id"], absent)
    return full


def content_ids(columns: Columns) -> np.ndarray:
    """16 hex digits a row: a hash of what differs from the defaults, the id apart. Shape (rows,).

    So a scenario keeps its id when a column is added whose default it takes. That two of ten million share one has a
    chance of 1 in 300,000.
    """
    text = np.full(len(columns["cpus"]), "", object)
    for col in SCENARIO_COLUMNS:
        if col.name == "id":
            continue
        values = columns[col.name]
        usual = values == (columns["cpus"] if col.name == "active_cpus" else col.default)
        said = {v: f"{col.name}={v!r};" for v in set(values[~usual].tolist())}
        text[~usual] += np.array([said[v] for v in values[~usual].tolist()], object)
    return np.array([hashlib.sha256(t.encode()).hexdigest()[:16] for t in text], object)


def _check_column(col: Column, values: Sequence[Any] | np.ndarray, default: np.ndarray) -> np.ndarray:
    """One column, checked once a distinct value; whole arrays of numbers by their extremes."""
    array = np.asarray(values)
    if col.kind in (int, float) and array.dtype.kind in "iuf" and array.size:
        whole = col.kind is float or array.dtype.kind in "iu" or bool((array == np.floor(array)).all())
        if whole and col.low <= array.min().item() and array.max().item() <= col.high:  # NaN fails both
            return array.astype(col.kind)
    out, checked = default.copy(), {}
    for row, value in enumerate(array.tolist() if isinstance(values, np.ndarray) else values):
        if value is None or value == "":
            if col.required:
                _in_row(row, _refuse_empty, col)
            continue
        key = (type(value), value)  # 1, 1.0 and True are one key of a dict, but not one value
        if key not in checked:
            checked[key] = _in_row(row, check_value, col, value)
        out[row] = checked[key]
    return out


def _refuse_empty(col: Column) -> None:
    raise ScenarioError(f"{col.name}: missing; it has no default")


def _in_row(row: int, check: Callable[..., Any], *args: Any) -> Any:
    try:
        return check(*args)
    except ScenarioError as error:
        raise ScenarioError(f"{error} (row {row + 1})") from None


def _refuse_repeated(ids: np.ndarray, absent: np.ndarray) -> None:
    """``absent``: whether a row came without an id, so that its own is a hash which the user never gave."""
    seen: dict[str, int] = {}
    for row, name in enumerate(ids.tolist()):
        first = seen.setdefault(name, row)
        if first == row:
            continue
        rows = f"rows {first + 1} and {row + 1}"
        if absent[first] and absent[row]:
            raise ScenarioError(f"id: none was given in {rows}, which are the same scenario; give them ids that differ")
        raise ScenarioError(f"id: {name!r} was given in {rows}; ids must differ")
