"""The policy files of conf/depot, for the twin's command, tests and benchmarks; the farm reads them with Hydra."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from workers import policy
from workers.schema import Columns


def depot_columns(scenarios: Columns) -> Columns:
    """DEPOT_COLUMNS of each row's policy, shapes (rows,). Raises ScenarioError for a policy without a file."""
    return policy.depot_columns(scenarios, policies())


def policies() -> dict[str, dict[str, Any]]:
    """The policies by name: the keys of their files."""
    files = [f for f in (resources.files("conf") / "depot").iterdir() if f.name.endswith(".yaml")]
    return {f.name.removesuffix(".yaml"): yaml.safe_load(f.read_text()) for f in files}
