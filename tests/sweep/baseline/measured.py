"""Baselines of small grids, straight from the model: no store, no report, nothing on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sweep.baseline.file import Baseline
from sweep.baseline.gate import open_gate
from sweep.baseline.lines import lines, varied_costs
from sweep.compose import compose
from sweep.config import COST_NAMES, Library
from sweep.execution.task import Simulate, attempt
from sweep.results import SCHEMA
from sweep.run import plan_of
from workers.task import simulate


def measured(
    *argv: str,
    costs: float = 1.0,
    depot: Mapping[str, Mapping[str, Any]] | None = None,
    simulate: Simulate = simulate,
    order: np.ndarray | None = None,
    batch: int | None = None,
) -> Baseline:
    """The baseline of a grid. ``costs``: a factor on all of the host's; ``depot``: keys changed of some policies.

    ``order``: the rows' order; ``batch``: how many are run at once.
    """
    composed = compose(list(argv))
    assert composed is not None
    config, library = composed.config, composed.library
    for name in COST_NAMES:
        setattr(config.host, name, costs * getattr(config.host, name))
    changed = {name: {**keys, **(depot or {}).get(name, {})} for name, keys in library.depot.items()}
    library = Library(changed, library.host, library.workload)
    plan = plan_of(config, library)
    numbers = np.arange(len(plan)) if order is None else order
    parts = np.split(numbers, range(batch, len(plan), batch)) if batch else [numbers]
    table = pl.concat([_table(plan.rows(part) | {"id": plan.ids(part)}, simulate) for part in parts]).lazy()
    gate = open_gate(config, config.grid.name, plan, library)
    found = tuple(lines(table, varied_costs(table)))
    return Baseline(config.grid.name, gate.now.model_version, gate.now.costs, gate.now.policies, found)


def _table(columns: Any, simulate: Simulate) -> pl.DataFrame:
    done, results, errors = attempt(columns, simulate)
    assert not errors, errors
    assert len(done) == len(columns["id"])
    values = columns | results | {"status": np.full(len(done), "ok", object)}
    named = {name: pl.Series(name, list(values[name])).cast(SCHEMA[name]) for name in SCHEMA if name in values}
    return pl.DataFrame(named)
