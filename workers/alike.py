"""Scenarios that are the same run under several depots: each such run is made once.

If every IOVA is oversize, the rcache plays no part, and this is known before the run. Otherwise it is known afterwards:
a run that refused no magazine is also the run of every larger depot with magazines of that size.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from workers import policy
from workers.mixes import all_bypass
from workers.schema import SCENARIO_COLUMNS, Columns

TRIMS = ("trim_threshold", "trim_period_ms", "trim_magazines")
RUN = ("depot_kind", "depot_capacity", *TRIMS, "magazine_pfns")
"""Depot columns that decide a run; the others only turn its counts into bytes."""

NAMES, AFTERWARDS = ("id", "policy"), ("domains", "exposure_s", "rcu_stall_s")
"""Columns that no run reads: the second ones turn its counts into results (workers.results)."""

LOAD = tuple(c.name for c in SCENARIO_COLUMNS if c.name not in (*NAMES, *AFTERWARDS))


def distinct(scenarios: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Rows with the same load and depot are one run; where every IOVA is oversize the depot does not matter.

    Gives the rows to run, and for each row which of those is its run. ``scenarios``: scenario and depot columns, shapes
    (rows,).
    """
    depots = zip(all_bypass(scenarios["iova_pages"]), _content(scenarios, RUN), strict=True)
    keys = zip(_content(scenarios, LOAD), (None if bypass else depot for bypass, depot in depots), strict=True)
    seen: dict[Hashable, int] = {}
    same_as = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)
    return np.unique(same_as, return_index=True)[1], same_as


def by_capacity(scenarios: Columns) -> list[list[int]]:
    """The rows in groups of one load and size of magazine, each from the smallest depot up; a list is the largest.

    From the first of a group that refused no magazine on, they are one run. A list that is trimmed is alike to none:
    its work takes the depot's lock, even where it finds nothing to do.
    """
    trims = policy.trims(scenarios)
    capacity = policy.capacity(scenarios)
    load, trimming = _content(scenarios, (*LOAD, "magazine_pfns")), _content(scenarios, TRIMS)
    groups: dict[Hashable, list[int]] = {}
    for row in np.argsort(capacity, kind="stable").tolist():
        groups.setdefault((load[row], trimming[row] if trims[row] else None), []).append(row)
    return list(groups.values())


def _content(scenarios: Columns, names: Sequence[str]) -> list[tuple[Hashable, ...]]:
    """Of each row its values in some columns."""
    return list(zip(*(scenarios[name].tolist() for name in names), strict=True))
