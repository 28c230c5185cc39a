"""What the names of depot policies stand for, as the depot columns that the model reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from workers.schema import DEPOT_COLUMNS, Column, Columns, ScenarioError, check_value, column
from workers.tables import to_columns

POLICY_KEYS = (
    "depot_kind",
    "depot_capacity",
    "depot_capacity_per_cpu",
    "trim_threshold_per_cpu",
    "trim_period_ms",
    "trim_magazines",
    "magazine_pfns",
    "magazine_bytes",
    "flush_queue_bytes_per_cpu",
)
"""Keys of a file in conf/depot."""

_PER_CPU = {"depot_capacity_per_cpu": "depot_capacity", "trim_threshold_per_cpu": "trim_threshold"}
POLICY_COLUMNS = {key: dataclasses.replace(column(_PER_CPU.get(key, key)), name=key) for key in POLICY_KEYS}
"""What each of them may be; by the CPU within the limits of what it adds to."""


def depot_values(name: str, policy: Mapping[str, Any], cpus: int) -> dict[str, Any]:
    """The DEPOT_COLUMNS of one row with ``cpus`` CPUs under the policy file ``policy``.

    An array holds max(depot_capacity, depot_capacity_per_cpu x cpus) magazines a bin; a list is
    trimmed down to trim_threshold_per_cpu x cpus. Raises ScenarioError, which names the policy, for unknown, missing or
    bad keys.
    """
    odd = sorted(set(policy) ^ set(POLICY_KEYS))
    if odd:
        raise ScenarioError(f"policy {name}: {odd[0]} is unknown or missing; its keys are {', '.join(POLICY_KEYS)}")
    values = _checked(f"policy {name}", POLICY_COLUMNS, policy)
    values["depot_capacity"] = max(values["depot_capacity"], cpus * values["depot_capacity_per_cpu"])
    values["trim_threshold"] = cpus * values["trim_threshold_per_cpu"]
    return _checked(f"policy {name} on {cpus} CPUs", {c.name: c for c in DEPOT_COLUMNS}, values)


def _checked(where: str, columns: Mapping[str, Column], values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: check_value(allowed, values[name]) for name, allowed in columns.items()}
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from None


def trims(depot: Mapping[str, Any]) -> Any:
    """Whether depot work ever frees a magazine, of depot columns: bool of plain values, or shape (rows,)."""
    return (depot["depot_kind"] == "list") & (depot["trim_period_ms"] > 0) & (depot["trim_magazines"] > 0)


def capacity(depots: Columns) -> np.ndarray:
    """Magazines for which a depot has room, of depot columns, inf for a list; shape (rows,)."""
    return np.where(depots["depot_kind"] == "list", np.inf, depots["depot_capacity"])


def depot_columns(scenarios: Columns, depots: Mapping[str, Mapping[str, Any]]) -> Columns:
    """The DEPOT_COLUMNS of each scenario, shapes (rows,); ``depots``: name -> the keys of its file.

    Raises ScenarioError for a policy without a file, or a file that is not a policy.
    """
    policies, policy_of = np.unique(scenarios["policy"].astype(str), return_inverse=True)
    for name in policies.tolist():
        if name not in depots:
            raise ScenarioError(f"policy: {name!r} was given; allowed are {', '.join(sorted(depots))}")
    cpus, cpus_of = np.unique(scenarios["cpus"], return_inverse=True)
    pairs, pair_of = np.unique(policy_of * len(cpus) + cpus_of, return_inverse=True)
    table = to_columns(
        [
            depot_values(
                str(policies[pair // len(cpus)]), depots[str(policies[pair // len(cpus)])], int(cpus[pair % len(cpus)])
            )
            for pair in pairs.tolist()
        ]
    )
    return {name: values[pair_of] for name, values in table.items()}
