"""Columns of a workload that a grid sets itself: the grid's count, so half of the workload would be ignored unsaid."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sweep.config import AXIS_NAMES, RATE
from sweep.plan.rate import PERIOD
from workers.schema import ScenarioError


def refuse_silenced(key: str, workload: Mapping[str, Any], grid: Any, but_for: Collection[str] = ()) -> None:
    """Raises ScenarioError where a GridConfig sets a column of ``workload``, by an axis or in each of its points.

    ``key``: what named the workload; ``but_for``: columns that may be set, as the reader varies them. A rate always
    may: it means the same bursts, more or less often, which is what a workload is tried for.
    """
    axes = {name for name in AXIS_NAMES if getattr(grid, name) is not None}
    points = [{name for name, value in point.items() if value is not None} for point in grid.points]
    named = axes.union(set.intersection(*points) if points else ()).difference((RATE, *but_for))
    lost = [column for column in workload if (PERIOD if column == RATE else column) in named]
    if lost:
        by = [PERIOD if column == RATE else column for column in lost]
        emptied = " ".join(f"grid.{name}=null" for name in by)
        cure = f"; empty them ({emptied})" if axes.issuperset(by) else " in each of its points"
        raise ScenarioError(f"{key}: without effect in {', '.join(lost)}, which grid {grid.name} sets itself{cure}")
