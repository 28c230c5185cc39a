"""What the reference machine counted, and how far another's figures are from it.

A truth file holds one JSON line a scenario: its columns under ``scenario``, and under the names of policies (``array``
and ``list``, as a rule) what the machine counted under them, one row of figures for each seed (two, as a rule).
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workers.jiffies import rearm_period_ms
from workers.reference.policies import depot_columns
from workers.schema import Columns, ScenarioError
from workers.tables import complete_row, to_columns

Row = dict[str, Any]
POLICIES = ("array", "list", "array_127", "list_127", "list_untrimmed", "array_128mags", "array_cpus")


class TruthError(ValueError):
    """A truth file that cannot be used, in one sentence."""


class Case(NamedTuple):
    """A scenario under one policy, all columns filled in, and what the machine counted, a row of figures a seed."""

    scenario: Row
    policy: str
    seeds: list[Row]


def read_cases(path: Path) -> list[Case]:
    """The cases of a truth file, one of each of its policies a scenario, in the file's order. Raises TruthError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(f"{path}: not a readable text file ({error.__class__.__name__})") from None
    cases = [case for number, line in enumerate(lines, start=1) for case in _cases(path, number, line)]
    if not cases:
        raise TruthError(f"{path}: holds no scenario")
    return cases


def _cases(path: Path, number: int, line: str) -> list[Case]:
    try:
        row = json.loads(line)
        names = [name for name in POLICIES if name in row]
        if not names:
            raise ValueError
        return [Case(complete_row(row["scenario"] | {"policy": name}), name, _seeds(row[name])) for name in names]
    except ScenarioError as error:
        raise TruthError(f"{path}, line {number}: {error}") from None
    except (ValueError, LookupError, TypeError):
        wanted = "a JSON object with scenario and, under names of policies, lists of at least one row of figures"
        raise TruthError(f"{path}, line {number}: must be {wanted}") from None


def _seeds(rows: list[Row]) -> list[Row]:
    if not (rows and all(isinstance(row, dict) and "softirq_residency_max_ms" in row for row in rows)):
        raise ValueError
    return rows


def check_rows(rows: int | None) -> None:
    """Refuses (TruthError) an option ``--rows`` below 1."""
    if rows is not None and rows < 1:
        raise TruthError(f"--rows: {rows} was given; allowed are whole numbers from 1")


def spread(cases: list[Case], scenarios: int | None) -> list[Case]:
    """The cases of so many ``scenarios``, evenly spread over the list; all of them for None."""
    groups = by_scenario(cases)
    if scenarios is None or scenarios >= len(groups):
        return cases
    picked = np.linspace(0, len(groups) - 1, scenarios).astype(int)
    return [cases[i] for group in picked for i in groups[group]]


def by_scenario(cases: list[Case]) -> list[list[int]]:
    """The numbers of the cases of each scenario: those that follow one another and differ in the policy alone."""
    bare = [{name: value for name, value in case.scenario.items() if name != "policy"} for case in cases]
    return [[i for i, _ in group] for _, group in groupby(enumerate(bare), key=lambda numbered: numbered[1])]


def columns(cases: list[Case]) -> Columns:
    """Scenario and depot columns of the cases, shapes (cases,)."""
    table = to_columns([case.scenario for case in cases])
    return table | depot_columns(table)


def distance(given: float, figures: list[float]) -> float:
    """Signed distance from the range of the seeds' ``figures``; 0 within it, negative below."""
    return given - min(max(given, min(figures)), max(figures))


def error(given: float, figures: list[float], floor: float = 0.0) -> float:
    """Signed distance relative to the nearer end of the seeds' range; 0 where it is at most ``floor``."""
    off = distance(given, figures)
    return off / max(abs(given - off), floor, 1e-12) if abs(off) > floor else 0.0


def residency_class(residency_ms: float, hz: int) -> int:
    """0 below the re-arm period, 1 below 1 s, 2 from there."""
    return int(residency_ms >= rearm_period_ms(np.asarray(hz))) + int(residency_ms >= 1000)


def chains(case: Case) -> bool:
    """Whether no seed's longest stay is below the re-arm period."""
    return min(residency_class(row["softirq_residency_max_ms"], case.scenario["hz"]) for row in case.seeds) > 0
