"""A fleet from a CSV file: one row a host class, checked and completed to a scenario.

A row names a cost table (``host``), a load (``workload``) or measured figures, and any scenario column of
``workers.schema`` under its own name. What a row says counts before its workload, that before its host.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.capacity.kernels import KERNELS
from sweep.config import RATE, Library
from sweep.plan.axes import COLUMNS
from sweep.plan.rate import PERIOD, overlay, period_us, rate_per_s, refuse_both
from workers.schema import SCENARIO_COLUMNS, Column, ScenarioError, check_value
from workers.tables import complete_row

HOURS_A_YEAR = 8760.0
COUNT = Column("count", int, "machines of this class", 1, low=1, high=10**9)
HOURS = Column("load_hours_per_year", float, "hours a year under this load", HOURS_A_YEAR, low=0.0, high=8784.0)
NAMED = (
    Column("name", str, "what the class is called", required=True),
    COUNT,
    Column("kernel", str, f"one of {', '.join(KERNELS)}", required=True, choices=tuple(KERNELS)),
    Column("host", str, "cost table, a name in conf/host", "typical"),
    Column("workload", str, "load, a name in conf/workload; or give its columns"),
    HOURS,
    COLUMNS[RATE],
)
SET_ELSEWHERE = {"id": "the name", "policy": "kernel", "horizon_s": "--horizon-s"}
"""Scenario columns that a fleet has no column for, and what sets them."""

FLEET_COLUMNS = (*NAMED, *(c for c in SCENARIO_COLUMNS if c.name not in SET_ELSEWHERE))
"""Every column that a fleet file may have."""

_BY_NAME = {c.name: c for c in FLEET_COLUMNS}


@dataclass(frozen=True)
class HostClass:
    """``count`` machines alike; ``scenario``: one of their domains' load under their kernel, a completed row.

    ``host``: the cost table's name; ``workload``: the load's, empty where the row gives all figures.
    """

    name: str
    count: int
    kernel: str
    host: str
    workload: str
    load_hours_per_year: float
    scenario: dict[str, Any]

    @property
    def unmap_rate_per_s(self) -> float:
        """Nominal unmaps/s of an active CPU in one domain."""
        return rate_per_s(self.scenario)


def read_fleet(path: str, library: Library, horizon_s: float) -> tuple[HostClass, ...]:
    """The host classes of a CSV file, in its order.

    Raises ScenarioError, one sentence with file, row (from 1, below the header) and column: no such file, no rows, an
    unknown or missing column, a value that is not allowed, a name that comes twice.
    """
    classes: list[HostClass] = []
    for row, cells in _rows(path):
        where = f"{path}: row {row}, column "
        found = host_class(cells, library, horizon_s, where)
        if any(found.name == other.name for other in classes):
            raise ScenarioError(f"{where}name: {found.name!r} was given before; names must differ")
        classes.append(found)
    if not classes:
        raise ScenarioError(f"{path}: holds no host class; at least one row is needed below the header")
    return tuple(classes)


def host_class(cells: Mapping[str, str], library: Library, horizon_s: float, where: str = "") -> HostClass:
    """One host class from its non-empty cells, column -> text; raises ScenarioError that begins with ``where``."""
    try:
        return _host_class(cells, library, horizon_s)
    except ScenarioError as error:
        raise ScenarioError(f"{where}{error}") from None


def _host_class(cells: Mapping[str, str], library: Library, horizon_s: float) -> HostClass:
    for column in NAMED:
        if column.required and column.name not in cells:
            raise ScenarioError(f"{column.name}: missing; it has no default")
    name, kernel, host, workload = (cells.get(key, "") for key in ("name", "kernel", "host", "workload"))
    if not re.fullmatch(r"\w[^/]{0,99}", name) or not name.isprintable():  # ids are NAME/what it is about
        raise ScenarioError(
            f"name: {name[:120]!r} was given; allowed are up to 100 characters but for /, a letter or digit first"
        )
    check_value(_BY_NAME["kernel"], kernel)
    host = host or "typical"
    _refuse_unknown("host", host, library.host)
    if workload:
        _refuse_unknown("workload", workload, library.workload)
    layers = [library.host[host], library.workload.get(workload, {}), _loads(cells)]
    given = overlay(layers)
    given[PERIOD] = period_us(given)
    given.pop(RATE, None)
    scenario = complete_row(given | {"id": name, "policy": KERNELS[kernel].policy, "horizon_s": horizon_s})
    count, hours = (check_value(c, cells.get(c.name, c.default)) for c in (COUNT, HOURS))
    return HostClass(name, count, kernel, host, workload, hours, scenario)


def _refuse_unknown(column: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ScenarioError(f"{column}: {name!r} was given; allowed are {', '.join(sorted(known))}")


def _loads(cells: Mapping[str, str]) -> dict[str, Any]:
    """The scenario columns, and the rate, that the row itself sets."""
    refuse_both(cells)
    own = {name: text for name, text in cells.items() if name not in {c.name for c in NAMED}}
    return own | ({RATE: cells[RATE]} if RATE in cells else {})


def _rows(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Number (from 1) and non-empty cells of each row; empty lines do not count."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ScenarioError(f"{path}: cannot be read as a fleet ({reason})") from None
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text), strict=True) if any(line)]
    except csv.Error as error:
        raise ScenarioError(f"{path}: cannot be read as CSV ({error})") from None
    header = lines[0] if lines else []
    _check_header(path, header)
    for row, line in enumerate(lines[1:], 1):
        if len(line) != len(header):
            raise ScenarioError(
                f"{path}: row {row}: {len(line)} cells were given for {len(header)} columns; quote cells with commas"
            )
        yield row, {name: cell for name, cell in zip(header, line, strict=True) if cell}


def _check_header(path: str, header: list[str]) -> None:
    if len(header) == 1 and (found := re.search(r"[;\t|]", header[0])):
        raise ScenarioError(f"{path}: header: cells are separated by {found[0]!r}; allowed is a comma")
    for name in header:
        if name in SET_ELSEWHERE:
            raise ScenarioError(f"{path}: header, column {name}: given, but it is set by {SET_ELSEWHERE[name]}")
        if name not in _BY_NAME:
            raise ScenarioError(f"{path}: header, column {name!r}: unknown; known are {', '.join(_BY_NAME)}")
        if header.count(name) > 1:
            raise ScenarioError(f"{path}: header, column {name}: given twice")
    for column in NAMED:
        if column.required and column.name not in header:
            raise ScenarioError(f"{path}: header, column {column.name}: missing; it has no default")
