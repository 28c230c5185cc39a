"""From a host class to the rows that the model runs: at another rate, with other costs, with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep.capacity.search import LADDER, factor
from sweep.plan.rate import PERIOD
from workers.schema import check_value, column
from workers.tables import check_row


def changed(scenario: Mapping[str, Any], label: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario with other values in some columns, checked, under the id ``NAME/label``; raises ScenarioError."""
    row = {**scenario, **{name: check_value(column(name), value) for name, value in changes.items()}}
    check_row(row)
    return row | {"id": f"{scenario['id']}/{label}"}


def ladder(scenario: Mapping[str, Any]) -> list[int]:
    """The steps of LADDER at which the period is one that the schema allows; the load itself, step 0, is among them."""
    allowed = column(PERIOD)
    return [step for step in LADDER if allowed.low <= scenario[PERIOD] / factor(step) <= allowed.high]


def at_rate(scenario: Mapping[str, Any], step: int) -> dict[str, Any]:
    """The same bursts, ``factor(step)`` times as often."""
    return changed(scenario, f"x{factor(step):.4g}", {PERIOD: scenario[PERIOD] / factor(step)})
