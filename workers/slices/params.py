"""What does not change during a run: one array entry a lane (scenario), one a row (active CPU).

Lanes have different CPU counts, so the CPUs of all lanes lie behind one another in flat
arrays: row ``r`` belongs to lane ``row_lane[r]``; lane ``l`` owns rows
``first_row[l] .. first_row[l] + active_cpus[l] - 1`` in CPU order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers import cpu_time, pace, policy
from workers.jiffies import rearm_jiffies
from workers.mixes import aligned_pages, size_classes, sizes_drawn
from workers.schema import PFNS_BELOW_4G, RCACHE_MAX_PAGES, Columns
from workers.slices.packing import lost_pages

SHORTEST_OP_NS = 1e-3
"""Costs may be 0, the time between two operations not."""


@dataclass(frozen=True)
class Params:
    """Scenario parameters; shapes (lanes,) unless said otherwise. Times in ns."""

    cpus: np.ndarray
    active: np.ndarray
    burst: np.ndarray
    period_ns: np.ndarray
    pace_ns: np.ndarray  # from burst to burst of a CPU that never waits
    in_flight: np.ndarray
    shift: np.ndarray
    aligned: np.ndarray
    dma32_first: np.ndarray
    strict: np.ndarray
    tick_ns: np.ndarray
    timer_jiffies: np.ndarray
    horizon_ns: np.ndarray
    seed: np.ndarray
    sizes_drawn: np.ndarray  # by the initial fill
    # sizes, ascending: (classes, lanes)
    pages: np.ndarray
    weight: np.ndarray
    oversize: np.ndarray
    slot_pages: np.ndarray  # address space an IOVA occupies: its size rounded up to its alignment
    room_below_4g_pages: np.ndarray  # (lanes,)
    lost_pages: np.ndarray  # (lanes,) left free above an IOVA, in the mean, for its alignment
    # depot
    is_list: np.ndarray
    capacity: np.ndarray
    trim_threshold: np.ndarray
    trim_period_ns: np.ndarray
    trim_magazines: np.ndarray
    trims: np.ndarray
    magazine: np.ndarray
    # what decides whether a lane keeps its pace (workers.pace)
    earliest_ns: np.ndarray
    full_magazines: np.ndarray
    full_nodes: np.ndarray
    frees_to_tree: np.ndarray
    lifetime_ns: np.ndarray
    # costs
    cost: dict[str, np.ndarray]
    # rows
    row_lane: np.ndarray
    row_cpu: np.ndarray
    first_row: np.ndarray

    @property
    def lanes(self) -> int:
        return len(self.cpus)

    @property
    def classes(self) -> int:
        return len(self.pages)

    @property
    def limits(self) -> pace.Limits:
        rearm_ns = self.timer_jiffies * self.tick_ns
        full = self.full_magazines, self.full_nodes
        return pace.Limits(self.horizon_ns, self.earliest_ns, rearm_ns, *full, self.frees_to_tree, self.lifetime_ns)


def from_columns(scenarios: Columns) -> Params:
    """Parameters of the given scenario and depot columns, each of shape (lanes,), all with as many size classes.

    Raises ValueError where they have not: classes are an axis of arrays.
    """
    mixes = [size_classes(text) for text in scenarios["iova_pages"]]
    if len({len(mix) for mix in mixes}) > 1:
        raise ValueError("iova_pages: scenarios of one batch must have as many size classes each")
    pages, weight = np.moveaxis(np.array(mixes, float), (2, 1, 0), (0, 1, 2))
    lanes = len(mixes)
    slot = np.vectorize(aligned_pages, otypes=[float])(pages.astype(np.int64))
    active = scenarios["active_cpus"].astype(np.int64)
    first_row = np.concatenate(([0], np.cumsum(active)[:-1]))
    limits = pace.limits(scenarios)
    row_lane = np.repeat(np.arange(lanes), active)
    return Params(
        cpus=scenarios["cpus"].astype(np.int64),
        active=active,
        burst=scenarios["unmap_burst"].astype(float),
        period_ns=1e3 * scenarios["burst_period_us"].astype(float),
        pace_ns=cpu_time.burst_to_burst_ns(scenarios),
        in_flight=scenarios["in_flight"].astype(float),
        shift=scenarios["free_cpu_shift"].astype(np.int64) % active,
        aligned=scenarios["phase"] == "aligned",
        dma32_first=scenarios["dma32_first"].astype(bool),
        strict=scenarios["strict"].astype(bool),
        tick_ns=1e9 / scenarios["hz"],
        timer_jiffies=rearm_jiffies(scenarios["hz"].astype(np.int64)),
        horizon_ns=1e9 * scenarios["horizon_s"].astype(float),
        seed=scenarios["seed"].astype(np.uint64),
        sizes_drawn=sizes_drawn(scenarios),
        pages=pages,
        weight=weight,
        oversize=pages > RCACHE_MAX_PAGES,
        slot_pages=slot,
        # pfns 1 .. 2^20 - 1: the lowest slot holds pfn 0
        room_below_4g_pages=((np.floor(PFNS_BELOW_4G / slot) - 1.0) * slot).max(0),
        lost_pages=np.array([lost_pages(tuple((aligned_pages(size), w) for size, w in mix)) for mix in mixes]),
        is_list=scenarios["depot_kind"] == "list",
        capacity=scenarios["depot_capacity"].astype(float),
        trim_threshold=scenarios["trim_threshold"].astype(float),
        trim_period_ns=1e6 * scenarios["trim_period_ms"].astype(float),
        trim_magazines=scenarios["trim_magazines"].astype(float),
        trims=policy.trims(scenarios),
        magazine=scenarios["magazine_pfns"].astype(float),
        earliest_ns=limits.earliest_ns,
        full_magazines=limits.magazines,
        full_nodes=limits.nodes,
        frees_to_tree=limits.frees_to_tree,
        lifetime_ns=limits.lifetime_ns,
        cost={name: scenarios[name].astype(float) for name in scenarios if name.endswith("_ns")},
        row_lane=row_lane,
        row_cpu=np.arange(len(row_lane)) - first_row[row_lane],
        first_row=first_row,
    )


