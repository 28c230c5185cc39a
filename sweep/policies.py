"""From the names of depot policies to the depot columns that the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workers.policy import depot_values
from workers.schema import Columns, ScenarioError, to_columns


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
