"""Which scenarios lie within the range in which the model was compared with the reference machine.

The range is that of the compared scenarios, column by column (docs/model.md); a scenario outside it may be right, but
nobody looked. Costs that the reference machine cannot vary count as compared up to twice or half their default.
"""

from __future__ import annotations

import numpy as np

from workers.schema import COST_COLUMNS, Columns, parse_iova_pages

COMPARED = {
    "cpus": (8, 768),
    "unmap_burst": (4, 400),
    "in_flight": (4, 2452),
    "rb_visit_ns": (12, 100),
    "lock_handover_ns": (100, 600),
    "fq_entry_remote_ns": (30, 400),
    "iotlb_flush_ns": (1_000, 20_000),
    "hz": (250, 1000),
}
"""Least and greatest value of the compared scenarios."""

COMPARED_RATES_PER_S = (65.0, 1e6)
"""Nominal unmaps/s of an active CPU."""

MOST_PAGES = 1024
SAME_COST = 2.0


def checked(scenarios: Columns) -> np.ndarray:
    """Whether each scenario is within the compared range; booleans of shape (rows,).

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
    return inside & np.array([largest[text] <= MOST_PAGES for text in scenarios["iova_pages"]], bool)
