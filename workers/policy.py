"""What a depot policy's name stands for, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.schema import DEPOT_COLUMNS, ScenarioError, check_value, column

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


def depot_values(name: str, policy: Mapping[str, Any], cpus: int) -> dict[str, Any]:
    """The DEPOT_COLUMNS of one row with ``cpus`` CPUs under the policy file ``policy``.

    An array holds max(depot_capacity, depot_capacity_per_cpu x cpus) magazines a bin; a list is
    trimmed down to trim_threshold_per_cpu x cpus. Raises ScenarioError for unknown, missing or bad keys.
    """
    odd = sorted(set(policy) ^ set(POLICY_KEYS))
    if odd:
        raise ScenarioError(f"policy {name}: {odd[0]} is unknown or missing; its keys are {', '.join(POLICY_KEYS)}")
    values = dict(policy)
    values["depot_capacity"] = check_value(column("depot_capacity"), values["depot_capacity"])
    for key in ("depot_capacity_per_cpu", "trim_threshold_per_cpu"):
        values[key] = check_value(_PER_CPU, values[key]) * cpus
    values["depot_capacity"] = max(values["depot_capacity"], values.pop("depot_capacity_per_cpu"))
    values["trim_threshold"] = values.pop("trim_threshold_per_cpu")
    return {c.name: check_value(c, values[c.name]) for c in DEPOT_COLUMNS}


_PER_CPU = column("trim_threshold")
