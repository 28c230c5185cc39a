"""Policies by name become depot columns, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.compose import compose
from sweep.policies import depot_columns
from workers.policy import depot_values
from workers.schema import DEPOT_COLUMNS, ScenarioError


def test_each_row_gets_what_its_policy_means_for_its_cpus() -> None:
    composed = compose([])
    assert composed is not None
    depots = composed.library.depot
    names = np.array(sorted(depots) * 2, object)
    cpus = np.array([8, 64, 512] * len(names))[: len(names)]
    table = depot_columns({"policy": names, "cpus": cpus}, depots)
    assert list(table) == [c.name for c in DEPOT_COLUMNS]
    for row, (name, count) in enumerate(zip(names, cpus, strict=True)):
        wanted = depot_values(name, depots[name], int(count))
        assert {key: values[row] for key, values in table.items()} == wanted


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ScenarioError, match="policy: 'heap' was given; allowed are array"):
        depot_columns({"policy": np.array(["heap"], object), "cpus": np.array([8])}, {"array": {}})
