"""From a host class to the rows that the model runs: at another rate, with other costs, with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep.capacity.fleet import PERIOD
from workers.schema import check_row, check_value, column

LEAST_PERIOD_US = column(PERIOD).low


def changed(scenario: Mapping[str, Any], label: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario with other values in some columns, checked, under the id ``NAME/label``; raises ScenarioError."""
    row = {**scenario, **{name: check_value(column(name), value) for name, value in changes.items()}}
    check_row(row)
    return row | {"id": f"{scenario['id']}/{label}"}


def at_rate(scenario: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same bursts, ``factor`` times as often; never closer than the schema allows."""
    period_us = max(scenario[PERIOD] / factor, LEAST_PERIOD_US)
    return changed(scenario, f"x{factor:.4g}", {PERIOD: period_us})
