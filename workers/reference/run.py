"""Scenarios in, results out: the farm's columns, one scenario at a time."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np

from workers.policy import depot_values
from workers.reference.machine import simulate
from workers.results import finish
from workers.schema import Columns, ScenarioError, to_columns


def simulate_columns(scenarios: Columns) -> Columns:
    """RESULT_COLUMNS of each row, shapes (rows,). ``scenarios``: scenario and depot columns."""
    rows = [simulate(row, row) for row in _rows(scenarios)]
    counted = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return finish(counted, scenarios)


def depot_columns(scenarios: Columns) -> Columns:
    """DEPOT_COLUMNS of each row's policy, shapes (rows,). Raises ScenarioError for a policy without a file."""
    policies = {name: _policy(name) for name in dict.fromkeys(scenarios["policy"].tolist())}
    pairs = zip(scenarios["policy"].tolist(), scenarios["cpus"].tolist(), strict=True)
    return to_columns([depot_values(name, policies[name], cpus) for name, cpus in pairs])


def _rows(columns: Columns) -> list[dict[str, Any]]:
    """The table's rows as plain Python values, which the twin's arithmetic wants."""
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]


def _policy(name: str) -> dict[str, Any]:
    import yaml

    folder = resources.files("conf") / "depot"
    known = sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
    if name not in known:
        raise ScenarioError(f"policy: {name!r} was given; allowed are {', '.join(known)}")
    return yaml.safe_load((folder / f"{name}.yaml").read_text())
