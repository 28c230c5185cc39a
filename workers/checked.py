"""Which scenarios lie where the model was compared with the reference machine and agreed with it well enough.

The range is that of the compared scenarios, column by column; in no part of it did less than 90 % of the classes
agree (docs/model.md). Beyond it, above 256 pages, 512 CPUs or 100,000 unmaps/s a CPU, a scenario may be right, but
counts as unchecked. Costs that the reference machine cannot vary count as compared up to twice or half their default.
"""

from __future__ import annotations

import numpy as np

from workers.schema import COST_COLUMNS, Columns, parse_iova_pages

COMPARED = {
    "cpus": (8, 512),
    "unmap_burst": (4, 400),
    "in_flight": (4, 2452),
    "rb_visit_ns": (12, 100),
    "lock_handover_ns": (100, 600),
    "fq_entry_remote_ns": (30, 400),
    "iotlb_flush_ns": (1_000, 20_000),
    "hz": (250, 1000),
}
"""Least and greatest value that agreed."""

COMPARED_RATES_PER_S = (65.0, 1e5)
"""Nominal unmaps/s of an active CPU."""

LARGEST_PAGES = 256

SAME_COST = 2.0


def checked(scenarios: Columns) -> np.ndarray:
    """Whether each scenario is within the range that agreed; booleans of shape (rows,).

    ``scenarios``: scenario columns. iommu.strict=1 was not compared.
    """
    inside = ~scenarios["strict"].astype(bool)
    for name, (low, high) in COMPARED.items():
        inside &= (scenarios[name] >= low) & (scenarios[name] <= high)
    for column in COST_COLUMNS:
        if column.name not in COMPARED:
            ratio = scenarios[column.name] / column.default
            inside &= (ratio >= 1.0 / SAME_COST) & (ratio <= SAME_COST)
    rate_per_s = 1e6 * scenarios["unmap_burst"] / scenarios["burst_period_us"]
    inside &= (rate_per_s >= COMPARED_RATES_PER_S[0]) & (rate_per_s <= COMPARED_RATES_PER_S[1])
    largest = {text: max(parse_iova_pages(text)[0]) for text in set(scenarios["iova_pages"])}
    return inside & np.array([largest[text] <= LARGEST_PAGES for text in scenarios["iova_pages"]], bool)
