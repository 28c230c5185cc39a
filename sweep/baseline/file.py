"""A baseline as a file: JSON with a line a line, so that a pull request shows what moved."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.baseline.boundary import Boundary, plain
from sweep.baseline.lines import FAILURE, LOAD, Line
from workers.schema import SCENARIO_COLUMNS, VERDICTS, ScenarioError, check_value, column

ENDING = ".json"
TOLERANCE = {"boundary": 0.03, "stay": 0.05, "memory": 0.01, "reclaim": 0.1, "tree": 0.1}
"""Shares by which figures may differ: a rate from which on a line chains or locks up, its longest safe stay, MiB,
seconds to reclaim, IOVAs freed to the tree. Processors with other instructions differ by less with the same model.
"""

SCENARIO_NAMES = {c.name for c in SCENARIO_COLUMNS}
_BOUNDARIES = {"chains_from_per_s": "chains_from", "locks_from_per_s": "locks_from"}
_KEYS = ("grid", "model_version", "tolerance", "costs", "same", "policies", "lines")
_FIGURES = ("safe_stay_ms", "tree_frees", "memory_peak_mib", "memory_end_mib", "reclaim_s")


@dataclass(frozen=True)
class Baseline:
    """The lines of a grid, and what they came from.

    ``costs``: of each cost its value, or the list of them where the grid varies it; ``policies``: the files of
    conf/depot by name; ``tolerance``: as TOLERANCE.
    """

    grid: str
    model_version: str
    costs: Mapping[str, Any]
    policies: Mapping[str, Mapping[str, Any]]
    lines: tuple[Line, ...]
    tolerance: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCE))

    def same(self) -> dict[str, Any]:
        """The columns of the lines' load that have one value in all of them."""
        loads = [line.load for line in self.lines]
        return {name: value for name, value in loads[0].items() if all(load.get(name) == value for load in loads)}


def path_of(folder: str, grid: str) -> Path:
    """The file of a grid's baseline."""
    return Path(folder, grid + ENDING).expanduser()


def text(baseline: Baseline) -> str:
    """The file's text, the same for equal baselines."""
    same = baseline.same()
    head = {
        "grid": baseline.grid,
        "model_version": baseline.model_version,
        "tolerance": dict(baseline.tolerance),
        "costs": dict(baseline.costs),
        "same": same,
    }
    parts = [f"{_json(key)}: {_json(value)}" for key, value in head.items()]
    parts.append(_block("policies", "{}", [f"{_json(k)}: {_json(dict(v))}" for k, v in baseline.policies.items()]))
    parts.append(_block("lines", "[]", [_json(_written(line, same)) for line in baseline.lines]))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _block(name: str, brackets: str, rows: list[str]) -> str:
    return f"{_json(name)}: {brackets[0]}\n" + ",\n".join(rows) + f"\n{brackets[1]}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _written(line: Line, same: Mapping[str, Any]) -> dict[str, Any]:
    boundaries = {key: getattr(line, name) for key, name in _BOUNDARIES.items()}
    figures = {name: getattr(line, name) for name in _FIGURES}
    return (
        {name: value for name, value in line.load.items() if name not in same}
        | {"rates_per_s": [plain(rate) for rate in line.rates_per_s], "verdicts": list(line.verdicts)}
        | {key: None if found is None else found.written for key, found in boundaries.items()}
        | {name: _number(value) for name, value in figures.items()}
    )


def _number(value: float | None) -> float | int | str | None:
    return "inf" if value == math.inf else None if value is None else plain(value)


def read(path: Path) -> Baseline:
    """The baseline in a file; raises FileNotFoundError where there is none, ScenarioError where it is no baseline."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ScenarioError(f"baseline: {path} cannot be read ({error.strerror or error})") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ScenarioError(f"baseline: {path} is none that baseline=update writes ({_damage(error)})") from None


def _damage(error: Exception) -> str:
    """What an error of ``parse`` tells of the file, in words."""
    match error:
        case UnicodeDecodeError():
            return "it is no UTF-8 text"
        case json.JSONDecodeError():
            return f"it is no JSON from line {error.lineno} on"
        case RecursionError():
            return "it is nested too deeply"
        case ValueError():
            return " ".join(str(error).split())[:200]
        case KeyError():
            return f"{error.args[0]} is missing in it, or in one of its lines"
        case _:
            return "a value in it is of another kind than baseline=update writes"


def parse(said: str) -> Baseline:
    """From what ``text`` gave; raises ValueError, LookupError, TypeError, AttributeError or RecursionError."""
    table = json.loads(said, parse_constant=_refuse_constant)
    _refuse_unknown(table["tolerance"], tuple(TOLERANCE), "tolerance.")
    tolerance = {name: _share(name, table["tolerance"][name]) for name in TOLERANCE}
    found = tuple(_line(row, table["same"]) for row in table["lines"])
    if not found:
        raise ValueError("it has no lines")
    policies = {str(name): dict(keys) for name, keys in table["policies"].items()}
    grid, version = str(table["grid"]), str(table["model_version"])
    _refuse_unknown(table, _KEYS, "")
    return Baseline(grid, version, dict(table["costs"]), policies, found, tolerance)


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise ValueError(f"{where}{name}: unknown key; known are {', '.join(known)}")


def _share(name: str, given: Any) -> float:
    """A tolerance: 5, meant as per cent, would let everything pass."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
        raise ValueError(f"tolerance.{name}: {given!r} was given; allowed is a share from 0 to 1")
    return float(given)


def _refuse_constant(said: str) -> None:
    raise ValueError(f"{said} is no JSON")


def _line(row: Mapping[str, Any], same: Mapping[str, Any]) -> Line:
    taken = {"rates_per_s", "verdicts", *_BOUNDARIES, *_FIGURES}
    load = {name: value for name, value in {**same, **row}.items() if name not in taken}
    for name, value in load.items():
        if name not in SCENARIO_NAMES:
            raise ValueError(f"{name} is no column of a scenario")
        if check_value(column(name), value) != value:
            raise ValueError(f"{name} {value!r} is none that a scenario has")
    ordered = {name: load.pop(name) for name in LOAD} | load
    rates, verdicts = tuple(float(rate) for rate in row["rates_per_s"]), tuple(row["verdicts"])
    if len(rates) != len(verdicts) or not set(verdicts) <= {*VERDICTS, FAILURE}:
        raise ValueError(f"verdicts {verdicts} of rates {rates}")
    rest: dict[str, Any] = {n: None if row[key] is None else Boundary.read(row[key]) for key, n in _BOUNDARIES.items()}
    rest |= {name: None if row[name] is None else float(row[name]) for name in _FIGURES}
    if not all(rest[name] is None or rest[name] >= 0 for name in _FIGURES):  # nor NaN
        raise ValueError("a figure is a number of 0 or more")
    return Line(ordered, rates, verdicts, **rest)
