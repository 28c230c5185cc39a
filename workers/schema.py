"""The columns of a scenario and of a result: names, types, units, defaults, limits.

This is the one place that names them; the farm, the model and the scalar twin import
it. A table of scenarios is a dict of equally long 1-d numpy arrays, one entry a row.
docs/columns.md is made from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Columns = dict[str, np.ndarray]

MAX_IOVA_PAGES = 1 << 20
RCACHE_BINS = 6
RCACHE_MAX_PAGES = 32
FQ_ENTRIES = 255
"""A full ring: one of its 256 slots stays free (fq_full())."""

PFNS_BELOW_4G = 1 << 20


class ScenarioError(ValueError):
    """Bad input, as one sentence: which key, what was given, what is allowed."""


@dataclass(frozen=True)
class Column:
    """One column: its type, meaning and limits (both inclusive)."""

    name: str
    kind: type
    meaning: str
    default: Any = None
    required: bool = False
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()


def _cost(name: str, default: float, meaning: str) -> Column:
    return Column(name, float, meaning, default, low=0.0, high=1e9)


COST_COLUMNS: tuple[Column, ...] = (
    _cost("rb_visit_ns", 12, "each rbtree node looked at"),
    _cost("rb_erase_ns", 40, "each rb_erase"),
    _cost("rb_insert_ns", 40, "each rb_insert_color"),
    _cost("iova_slab_ns", 25, "each allocation or free of a struct iova"),
    _cost("magazine_slab_ns", 60, "each allocation or free of a magazine"),
    _cost("lock_local_ns", 15, "a free lock last held by this CPU"),
    _cost("lock_remote_ns", 100, "a free lock last held by another CPU"),
    _cost("lock_handover_ns", 150, "a contended lock, from release to the next owner"),
    _cost("fq_entry_local_ns", 8, "each ring entry freed by its own CPU"),
    _cost("fq_entry_remote_ns", 60, "each ring entry freed by the timer"),
    _cost("iotlb_flush_ns", 2000, "each IOTLB flush"),
    _cost("unmap_ns", 250, "each unmap, before the allocator"),
    _cost("map_ns", 250, "each map, before the allocator"),
)

SCENARIO_COLUMNS: tuple[Column, ...] = (
    Column("id", str, "the user's label; the content's hash when absent", ""),
    Column("cpus", int, "possible = online CPUs", required=True, low=1, high=4096),
    Column("active_cpus", int, "CPUs that map and unmap; cpus when absent", low=1, high=4096),
    Column("iova_pages", str, "sizes in 4 KiB pages: '32', '1,8,32' or '1:0.7,32:0.3'", "1"),
    Column("unmap_burst", int, "unmaps (then maps) a burst", required=True, low=1, high=1 << 20),
    Column("burst_period_us", float, "time between bursts of a CPU", required=True, low=0.1, high=1e9),
    Column("in_flight", int, "mapped IOVAs per active CPU", required=True, low=1, high=1 << 20),
    Column("phase", str, "spread of the CPUs' first bursts", "random", choices=("random", "aligned")),
    Column("free_cpu_shift", int, "what CPU c maps, CPU c+shift unmaps", 0, low=0, high=4096),
    Column("dma32_first", bool, "try below 4 GiB first (no iommu.forcedac=1)", True),
    Column("strict", bool, "iommu.strict=1: no flush queue, no timer", False),
    Column("domains", int, "IOMMU domains of this kind", 1, low=1, high=1 << 20),
    Column("hz", int, "timer ticks a second", 250, low=24, high=10000),
    Column("rcu_stall_s", float, "RCU stall timeout", 60.0, low=0.001, high=1e6),
    Column("seed", int, "seed of phases and size draws", 0, low=0, high=2**63 - 1),
    Column("horizon_s", float, "virtual time; a lockup is foreseen from up to 8 s", 3.0, low=0.001, high=1e5),
    Column("exposure_s", float, "time over which a lockup probability is stated", 3600.0, low=0.001, high=1e10),
    Column("policy", str, "depot policy: a name in conf/depot", "array"),
    *COST_COLUMNS,
)

DEPOT_COLUMNS: tuple[Column, ...] = (
    Column("depot_kind", str, "fixed array or unbounded list", choices=("array", "list")),
    Column("depot_capacity", int, "magazines a bin holds (array; 0 for list)", low=0, high=1 << 30),
    Column("trim_threshold", int, "magazines a bin keeps for good (list)", low=0, high=1 << 30),
    Column("trim_period_ms", float, "delay of the depot work; 0: never trimmed", low=0, high=1e9),
    Column("trim_magazines", int, "magazines freed a run of the depot work", low=0, high=1 << 20),
    Column("magazine_pfns", int, "pfns a magazine holds", low=1, high=1 << 16),
    Column("magazine_bytes", int, "memory a magazine takes", low=1, high=1 << 20),
    Column("flush_queue_bytes_per_cpu", int, "memory of one CPU's ring", low=0, high=1 << 20),
)
"""What a policy's name stands for; the farm fills these in from conf/depot."""

RESULT_COLUMNS: tuple[Column, ...] = (
    Column("verdict", str, "ok, chained or soft_lockup"),
    Column("checked", bool, "within the range in which the model agreed with the reference machine"),
    Column("soft_lockup_probability", float, "of a stay of 20 s in one domain over exposure_s; extrapolated"),
    Column("soft_lockup_hazard_per_hour", float, "expected soft lockups of one domain, an hour; extrapolated"),
    Column("soft_lockup_hazard_low_per_hour", float, "lower end of its 90 % interval"),
    Column("soft_lockup_hazard_high_per_hour", float, "upper end of its 90 % interval"),
    Column("softirq_residency_max_ms", float, "longest uninterrupted stay in the timer softirq"),
    Column("unfinished_stay_ms", float, "the stay in the timer softirq that goes on at the horizon; 0 without one"),
    Column("rcu_stall", bool, "a stay reached rcu_stall_s"),
    Column("hard_lockup", bool, "irqs_off_max_ms reached 10 s"),
    Column("irqs_off_max_ms", float, "longest span from asking for the outermost spinlock to its release"),
    Column("callback_count", int, "finished fq_flush_timeout callbacks"),
    Column("callback_mean_ms", float, "mean of the finished callbacks; 0 where none finished"),
    Column("callback_p50_ms", float, "sorted[floor(0.5 n)] of the finished callbacks"),
    Column("callback_p99_ms", float, "sorted[floor(0.99 n)] of the finished callbacks"),
    Column("callback_max_ms", float, "longest callback, an unfinished one included"),
    Column("rbtree_lock_held_fraction", float, "share of the horizon iova_rbtree_lock was held"),
    Column("rbtree_lock_acquisitions", int, "acquisitions of iova_rbtree_lock"),
    Column("rbtree_lock_wait_mean_us", float, "mean wait for it, acquisition cost included"),
    Column("rbtree_lock_wait_max_us", float, "longest wait for it"),
    Column("rbtree_erases", int, "rb_erase calls"),
    Column("rbtree_inserts", int, "rb_insert_color calls"),
    Column("rbtree_walk_steps", int, "rb_prev calls"),
    Column("ops_completed", int, "maps and unmaps"),
    Column("map_failures", int, "maps that found no IOVA"),
    Column("iovas_drained_by_timer", int, "ring entries freed by the timer"),
    Column("iovas_drained_locally", int, "ring entries freed by their own CPU"),
    Column("iotlb_flushes", int, "IOTLB flushes"),
    Column("magazines_peak", int, "live magazines, 12 per CPU included"),
    Column("depot_magazines_peak", int, "magazines in the depots of all bins"),
    Column("depot_magazines_end", int, "the same at the horizon, or when a steady load was left before it"),
    Column("iova_nodes_peak", int, "live struct iova"),
    Column("cpu_magazines_bytes", int, "CPU magazines, 12 per CPU, times domains"),
    Column("depot_magazines_bytes", int, "depot magazines at their peak, times domains"),
    Column("iova_nodes_bytes", int, "struct iova at their peak, times domains"),
    Column("flush_queue_bytes", int, "rings, times domains"),
    Column("memory_peak_bytes", int, "sum of the four parts"),
    Column("memory_end_bytes", int, "the same at the horizon, with a steady load's depots as when it was left"),
    Column("iova_space_cached_peak_bytes", int, "address space held by cached IOVAs, times domains"),
    Column("depot_reclaim_s", float, "time to trim the largest surplus; 0 for array, inf where nothing trims"),
)

LOCKED = "soft_lockup"
VERDICTS = ("ok", "chained", LOCKED)

_BY_NAME = {c.name: c for c in (*SCENARIO_COLUMNS, *DEPOT_COLUMNS)}


def column(name: str) -> Column:
    """The scenario or depot column of this name; KeyError for any other."""
    return _BY_NAME[name]


def parse_iova_pages(text: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sizes in pages and their weights (sum 1) of an ``iova_pages`` text.

    Raises ScenarioError where a size is outside 1..2^20, repeated, or a weight is not positive.
    """
    rule = f"allowed are sizes of 1 to {MAX_IOVA_PAGES} pages, as in '32', '1,8,32' or '1:0.7,32:0.3'"
    sizes, weights = [], []
    for part in str(text).split(","):
        size_text, colon, weight_text = part.partition(":")
        try:
            size = int(size_text)
            weight = float(weight_text) if colon else 1.0
        except ValueError:
            raise ScenarioError(f"iova_pages: {text!r} was given; {rule}") from None
        if not 1 <= size <= MAX_IOVA_PAGES or not 0 < weight < math.inf or size in sizes:
            raise ScenarioError(f"iova_pages: {text!r} was given; {rule}")
        sizes.append(size)
        weights.append(weight)
    total = sum(weights)
    if total == math.inf:
        raise ScenarioError(f"iova_pages: {text!r} was given; its weights have no finite sum")
    return tuple(sizes), tuple(w / total for w in weights)


def check_value(col: Column, value: Any) -> Any:
    """``value`` as the column's type; raises ScenarioError where it is none of the allowed."""
    if col.kind is bool:
        text = str(value).lower()
        if text in ("true", "1"):
            return True
        if text in ("false", "0"):
            return False
        raise ScenarioError(f"{col.name}: {value!r} was given; allowed are true and false")
    if col.kind is str:
        if col.name == "iova_pages":
            parse_iova_pages(str(value))
        if col.choices and value not in col.choices:
            raise ScenarioError(f"{col.name}: {value!r} was given; allowed are {', '.join(col.choices)}")
        return str(value)
    number = "a whole number" if col.kind is int else "a number"
    form = "" if col.kind is int else "g"
    rule = f"allowed is {number} from {col.low:{form}} to {col.high:{form}}"
    try:
        if isinstance(value, bool):
            raise ValueError
        checked = _whole(value) if col.kind is int else float(value)
        if not col.low <= checked <= col.high:  # NaN fails every comparison
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ScenarioError(f"{col.name}: {value!r} was given; {rule}") from None
    return checked


def _whole(value: Any) -> int:
    """``value`` as a whole number, digit by digit: a float holds no more than 2^53 of them exactly.

    Raises TypeError, ValueError or OverflowError where it is none.
    """
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)  # "8.0" and "1e3" are whole numbers too
    if value != math.floor(value):
        raise ValueError
    return int(value)
