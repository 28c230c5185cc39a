"""The nominal rate of unmaps and the period of bursts: one follows from the other, so the one said last counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sweep.config import RATE
from sweep.plan.axes import COLUMNS
from workers.schema import ScenarioError, check_value

PERIOD = "burst_period_us"


def overlay(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the layers set, the last one on top; rate and period put each other out."""
    out: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            out[name] = value
            out.pop({RATE: PERIOD, PERIOD: RATE}.get(name, ""), None)
    return out


def period_us(given: Mapping[str, Any]) -> Any:
    """The period of an ``overlay``, as given or from its rate; None where it has neither.

    Raises ScenarioError for a rate without a burst, and for one that no period gives.
    """
    if RATE not in given:
        return given.get(PERIOD)
    if given.get("unmap_burst") is None:
        raise ScenarioError("unmap_burst: missing; it has no default")
    per_s, period = check_value(COLUMNS[RATE], given[RATE]), COLUMNS[PERIOD]
    unmaps = check_value(COLUMNS["unmap_burst"], given["unmap_burst"])
    if not period.low <= 1e6 * unmaps / per_s <= period.high:
        slowest, fastest = 1e6 * unmaps / period.high, 1e6 * unmaps / period.low
        raise ScenarioError(f"{RATE}: {per_s:g} was given; in bursts of {unmaps} allowed is {slowest:g} to {fastest:g}")
    return 1e6 * unmaps / per_s


def refuse_both(names: Iterable[str], where: str = "") -> None:
    """Raises ScenarioError, its key behind ``where``, for a place that names both the rate and the period."""
    if {RATE, PERIOD} <= set(names):
        raise ScenarioError(f"{where}{RATE}: given beside {PERIOD}, which says the same; allowed is one of them")


def rate_per_s(scenario: Mapping[str, Any]) -> float:
    """Nominal unmaps/s of an active CPU."""
    return 1e6 * scenario["unmap_burst"] / scenario[PERIOD]
