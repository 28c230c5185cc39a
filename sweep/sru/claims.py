"""What the bug report says of the patches, each claim confirmed or corrected by a number and the run that gave it.

Constants come from the depot policies and ``workers``; everything else from the rows of ``sweep.sru.runs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.capacity import words
from sweep.sru.runs import BEFORE, BOTH, IDLE, OVERSIZE, PATCH_1, Measured, bins
from workers.policy import depot_values
from workers.results import IOVA_NODE_BYTES, rearm_jiffies
from workers.schema import RCACHE_MAX_PAGES

CONFIRMED, CORRECTED = "confirmed", "corrected"
MAGAZINES_A_CPU = 2
"""``loaded`` and ``prev``, for each bin."""

POINTER_BYTES = 8
MODEST_BYTES = 64 << 20
"""More than that for one machine's allocator would not be called modest here."""


@dataclass(frozen=True)
class Claim:
    """``said``: in the report's words; ``judgement``: CONFIRMED or CORRECTED; ``found``: what is so, with the number;
    ``runs``: ids in runs.csv, none where it follows from constants."""

    said: str
    judgement: str
    found: str
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Depot:
    """Sizes of 5.15's depots on a machine: array as it is, list with both patches."""

    array: Mapping[str, Any]
    list_: Mapping[str, Any]

    @property
    def struct_bytes(self) -> int:
        """struct iova_magazine: a count and the pfns."""
        return POINTER_BYTES * (1 + self.array["magazine_pfns"])

    @property
    def full_magazine_bytes(self) -> int:
        """With the struct iova that each of its pfns keeps allocated."""
        return self.array["magazine_bytes"] + self.array["magazine_pfns"] * IOVA_NODE_BYTES

    @property
    def overflow_pfns(self) -> int:
        """What one CPU frees into a bin before the tree is touched."""
        return (MAGAZINES_A_CPU + self.array["depot_capacity"]) * self.array["magazine_pfns"]

    @property
    def trim_per_s(self) -> float:
        """Magazines that the worker frees a second and bin."""
        return 1e3 * self.list_["trim_magazines"] / self.list_["trim_period_ms"]

    def held_bytes(self, scenario: Mapping[str, Any]) -> int:
        """What the worker never frees, at most, in all bins used and all domains."""
        return (
            self.list_["trim_threshold"] * self.full_magazine_bytes * bins(scenario["iova_pages"]) * scenario["domains"]
        )


def depot(policies: Mapping[str, Mapping[str, Any]], cpus: int) -> Depot:
    """``policies``: the files of conf/depot."""
    return Depot(*(depot_values(name, policies[name], cpus) for name in ("array", "list")))


def claims(measured: Measured, sizes: Depot) -> Iterator[Claim]:
    """Every claim, in the report's order; none of the runs may have failed."""
    before, first, both = measured[BEFORE], measured[PATCH_1], measured[BOTH]
    yield _ten_ms(both, measured[IDLE])
    yield _two_magazines(before, sizes)
    yield _eliminated(before, first)
    yield _no_lockups(both, measured[OVERSIZE], first)
    yield _size(sizes)
    yield _modest(before, both)
    yield _converges(both, sizes)
    yield Claim(
        '"Patch 3 is purely diagnostic and has no runtime effect"',
        CONFIRMED,
        "By reading, not by a run: it annotates an allocation for kmemleak, which is empty without"
        " CONFIG_DEBUG_KMEMLEAK; the model has no kmemleak.",
    )


def _ten_ms(both: Mapping[str, Any], idle: Mapping[str, Any]) -> Claim:
    ticks, hz = int(rearm_jiffies(both["hz"])), both["hz"]
    least, most = 1e3 * (ticks - 1) / hz, 1e3 * ticks / hz
    return Claim(
        '"Every 10ms, fq_flush_timeout fires"',
        CORRECTED,
        f"{least:g} to {most:g} ms after the arm at HZ={hz}, as the timer wheel rounds up, and only while something is"
        f" queued: {_often(both)} under this load, {_often(idle)} on the same machine with two unmaps a second.",
        (both["id"], idle["id"]),
    )


def _often(row: Mapping[str, Any]) -> str:
    return f"{row['callback_count']:,} callbacks in {row['horizon_s']:g} s"


def _two_magazines(before: Mapping[str, Any], sizes: Depot) -> Claim:
    array = sizes.array
    return Claim(
        '"Each CPU has two magazines of 128 PFNs; when both are full [...] depot [...] also full"',
        CONFIRMED if before["depot_magazines_peak"] <= array["depot_capacity"] * 6 else CORRECTED,
        f"The tree is touched after {MAGAZINES_A_CPU} x {array['magazine_pfns']} + {array['depot_capacity']} x"
        f" {array['magazine_pfns']} = {sizes.overflow_pfns:,} pfns of a bin, which takes"
        f" {-(-sizes.overflow_pfns // 255)} full rings of 255 in one drain. In this run the depots held"
        f" {before['depot_magazines_peak']:,} magazines at most and {before['rbtree_erases']:,} IOVAs went to the tree.",
        (before["id"],),
    )


def _eliminated(before: Mapping[str, Any], first: Mapping[str, Any]) -> Claim:
    fewer = first["rbtree_erases"] < before["rbtree_erases"] or not before["rbtree_erases"]
    return Claim(
        '"the overflow path and its inline call to iova_magazine_free_pfns are eliminated"',
        CONFIRMED if fewer else CORRECTED,
        f"{before['rbtree_erases']:,} frees into the tree before, {first['rbtree_erases']:,} with patch 1; longest"
        f" callback {_ms(before['callback_max_ms'])} before, {_ms(first['callback_max_ms'])} with patch 1.",
        (before["id"], first["id"]),
    )


def _no_lockups(both: Mapping[str, Any], oversize: Mapping[str, Any], first: Mapping[str, Any]) -> Claim:
    return Claim(
        '"reclaim runs in process context [...] and therefore, cannot cause soft lockups"',
        CORRECTED,
        "The worker is in process context, but frees each magazine in one hold of iova_rbtree_lock with interrupts off:"
        f" the longest span so is {_ms(both['irqs_off_max_ms'])} with it, {_ms(first['irqs_off_max_ms'])} without. The"
        f" drain itself stays in the softirq ({_ms(both['callback_max_ms'])} at most here). IOVAs above"
        f" {RCACHE_MAX_PAGES} pages never come from a depot: the same load in 64 pages, with both patches:"
        f" {words.VERDICTS[oversize['verdict']]}, longest stay {_ms(oversize['softirq_residency_max_ms'])}.",
        (both["id"], first["id"], oversize["id"]),
    )


def _size(sizes: Depot) -> Claim:
    pinned = sizes.array["magazine_pfns"] * IOVA_NODE_BYTES
    return Claim(
        '"each magazine is 1024 bytes"',
        CONFIRMED if sizes.full_magazine_bytes == 1024 else CORRECTED,
        f"On 5.15 it is {sizes.struct_bytes:,} bytes, which kmalloc makes {sizes.array['magazine_bytes']:,}, and a full"
        f" one keeps {sizes.array['magazine_pfns']} struct iova of {IOVA_NODE_BYTES} bytes ({pinned:,}) allocated:"
        f" {sizes.full_magazine_bytes:,} in all.",
    )


def _modest(before: Mapping[str, Any], both: Mapping[str, Any]) -> Claim:
    added = both["memory_peak_bytes"] - before["memory_peak_bytes"]
    return Claim(
        '"even a large spike of unmaps on a many-CPU system represents modest memory"',
        CONFIRMED if both["memory_peak_bytes"] <= MODEST_BYTES else CORRECTED,
        f"Peak {words.memory(both['memory_peak_bytes'])} with both patches, {words.memory(before['memory_peak_bytes'])}"
        f" before ({'+' if added >= 0 else '-'}{words.memory(abs(added))}), all {both['domains']:,} domains of this"
        f" machine; modest is taken as {words.memory(MODEST_BYTES)}.",
        (before["id"], both["id"]),
    )


def _converges(both: Mapping[str, Any], sizes: Depot) -> Claim:
    return Claim(
        '"the reclaim worker converges quickly"',
        CORRECTED,
        f"It frees {sizes.trim_per_s:g} magazines a second and bin: {both['depot_reclaim_s']:.3g} s for the surplus of"
        f" this run. It never goes below num_online_cpus ({sizes.list_['trim_threshold']:,}) magazines a bin: up to"
        f" {words.memory(sizes.held_bytes(both))} stay for good.",
        (both["id"],),
    )


def _ms(value: float) -> str:
    return f"{value / 1e3:.3g} s" if value >= 1e3 else f"{value:.3g} ms"
