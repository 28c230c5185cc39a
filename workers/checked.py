"""Which scenarios lie where the model was compared with the reference machine and agreed with it well enough.

The range is that of the compared scenarios, column by column, its ends rounded inwards; in no part of it did less than
90 % of the classes agree (docs/agreement.md). Above 680 CPUs or 100,000 unmaps/s a CPU those compared were followed
event by event, so others there count as unchecked, as do those that are delicate from their start but too dear to
follow. Costs that the reference machine cannot vary count as compared up to twice or half their default. Depots
compared were arrays of 32, of 128 and of one magazine per CPU (sizes in between count), and lists that are not trimmed
or by one magazine each 100 ms. All this is about how the model runs a scenario; the twin's rows say the same of it.
"""

from __future__ import annotations

import numpy as np

from workers import delicate, policy
from workers.schema import COST_COLUMNS, Columns, parse_iova_pages

COMPARED = {
    "unmap_burst": (1, 950),
    "in_flight": (4, 4_000),
    "rb_visit_ns": (10, 120),
    "lock_handover_ns": (50, 970),
    "fq_entry_remote_ns": (20, 490),
    "iotlb_flush_ns": (520, 29_800),
    "hz": (100, 1000),
}
"""Least and greatest value that agreed."""

LEAST_CPUS, LEAST_PER_S = 4, 21.0
MOST_PAGES = 1024

IN_SLICES = (680, 1e5)
"""Most CPUs and nominal unmaps/s of an active CPU that agreed."""

FOLLOWED = (768, 1e6)
"""The same of what is followed event by event."""

SAME_COST = 2.0

MAGAZINE_PFNS = (127, 128)
ARRAY_MAGAZINES = (32, 128)
"""Least and greatest capacity of an array that agreed; the greatest may also be one magazine a CPU."""


def checked(scenarios: Columns) -> np.ndarray:
    """Whether each scenario is within the range that agreed; booleans of shape (rows,).

    ``scenarios``: scenario and depot columns. iommu.strict=1 was not compared.
    """
    inside = ~scenarios["strict"].astype(bool)
    for name, (low, high) in COMPARED.items():
        inside &= (scenarios[name] >= low) & (scenarios[name] <= high)
    for column in COST_COLUMNS:
        if column.name not in COMPARED:
            ratio = scenarios[column.name] / column.default
            inside &= (ratio >= 1.0 / SAME_COST) & (ratio <= SAME_COST)
    rate_per_s = 1e6 * scenarios["unmap_burst"] / scenarios["burst_period_us"]
    inside &= (scenarios["cpus"] >= LEAST_CPUS) & (rate_per_s >= LEAST_PER_S)
    largest = {text: max(parse_iova_pages(text)[0]) for text in set(scenarios["iova_pages"])}
    inside &= np.array([largest[text] <= MOST_PAGES for text in scenarios["iova_pages"]], bool)

    def within(cpus: float, per_s: float) -> np.ndarray:
        return (scenarios["cpus"] <= cpus) & (rate_per_s <= per_s)

    inside &= _depot_compared(scenarios)
    in_slices = within(*IN_SLICES) & ~delicate.from_the_start(scenarios)
    return inside & np.where(delicate.followed(scenarios), within(*FOLLOWED), in_slices)


def _depot_compared(scenarios: Columns) -> np.ndarray:
    least, most = ARRAY_MAGAZINES
    capacity, cpus = scenarios["depot_capacity"], scenarios["cpus"]
    array = (capacity >= least) & (capacity <= np.maximum(most, cpus))
    as_patched = (scenarios["trim_period_ms"] == 100) & (scenarios["trim_magazines"] == 1)
    as_patched &= scenarios["trim_threshold"] == cpus
    depot = np.where(scenarios["depot_kind"] == "list", ~policy.trims(scenarios) | as_patched, array)
    return depot & np.isin(scenarios["magazine_pfns"], MAGAZINE_PFNS)
