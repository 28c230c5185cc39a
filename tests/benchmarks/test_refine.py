"""The axes of a table of results, as the benchmark of refinement finds them, are those of its grid."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.refine import axes_of
from sweep.aggregate import with_rate
from sweep.compose import compose
from sweep.plan.grid import GridPlan, levels_of
from sweep.run import plan_of


@pytest.mark.parametrize("grid", ["small", "large", "ci"])
def test_axes_of_a_grid(grid: str) -> None:
    composed = compose([f"+grid={grid}"])
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    assert isinstance(plan, GridPlan)
    columns = {name: pl.Series(values.tolist()) for name, values in plan.rows(np.arange(len(plan))).items()}
    axes = axes_of(with_rate(pl.DataFrame(columns).lazy()).collect())
    levels = levels_of(axes)
    assert [level if isinstance(level, int) else len(level) for level in levels] == [n for n in plan.sizes if n > 1]
    kinds = [isinstance(level, int) for level, size in zip(plan.levels, plan.sizes, strict=True) if size > 1]
    assert [isinstance(level, int) for level in levels] == kinds


def test_a_table_that_is_no_grid() -> None:
    rows = {"cpus": [8, 16, 8], "active_cpus": [8, 16, 8], "in_flight": [1, 2, 3], "unmap_burst": 1}
    table = with_rate(pl.DataFrame(rows | {"burst_period_us": 1.0}).lazy()).collect()
    with pytest.raises(ValueError, match="not all combinations"):
        axes_of(table)
