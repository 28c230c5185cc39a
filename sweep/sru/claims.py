"""What the bug report says of the patches, each claim confirmed or corrected by a number and the run that gave it.

Constants come from the depot policies and ``workers``; everything else from the rows of ``sweep.sru.runs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.capacity import words
from sweep.lab import Row
from sweep.report.answers.words import seconds
from sweep.sru.runs import BEFORE, BOTH, IDLE, OVERSIZE, PATCH_1, SPIKES, Measured, bins
from workers.jiffies import rearm_jiffies
from workers.policy import depot_values
from workers.results import CPU_MAGAZINES, IOVA_NODE_BYTES, full_magazine_bytes
from workers.schema import FQ_ENTRIES, RCACHE_BINS, RCACHE_MAX_PAGES

CONFIRMED, CORRECTED, NOT_SHOWN = "confirmed", "corrected", "not shown by this load"
MAGAZINES_A_CPU = CPU_MAGAZINES // RCACHE_BINS
"""``loaded`` and ``prev``, for each bin."""

POINTER_BYTES = 8
MODEST_BYTES = 64 << 20
"""More than that for one machine's allocator would not be called modest here."""


QUICK_S = 1.0
"""Longer than that to free what one spike left would not be called quick here."""


@dataclass(frozen=True)
class Claim:
    """``said``: in the report's words; ``judgement``: CONFIRMED, CORRECTED or NOT_SHOWN; ``found``: what is so, with
    the number; ``runs``: ids in runs.csv, none where it follows from constants."""

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
        return full_magazine_bytes(self.array)

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
        magazines = self.list_["trim_threshold"] * bins(scenario["iova_pages"]) * scenario["domains"]
        return magazines * self.full_magazine_bytes


def depot(policies: Mapping[str, Mapping[str, Any]], cpus: int) -> Depot:
    """``policies``: the files of conf/depot."""
    return Depot(*(depot_values(name, policies[name], cpus) for name in ("array", "list")))


def claims(measured: Measured, sizes: Depot) -> Iterator[Claim]:
    """Every claim, in the report's order; none of the runs may have failed."""
    before, first, both = measured[BEFORE], measured[PATCH_1], measured[BOTH]
    spikes = {label: measured[SPIKES[label]] for label in SPIKES}
    yield _ten_ms(both, measured[IDLE])
    yield _two_magazines(before, sizes)
    yield _eliminated(before, first)
    yield _no_lockups(both, measured[OVERSIZE], spikes)
    yield _size(sizes)
    yield _modest(spikes)
    yield _converges(spikes[BOTH], sizes)
    yield Claim(
        '"Patch 3 is purely diagnostic and has no runtime effect"',
        CONFIRMED,
        "By reading, not by a run: it annotates an allocation for kmemleak, which is empty without"
        " CONFIG_DEBUG_KMEMLEAK; the model has no kmemleak.",
    )


def _ten_ms(both: Row, idle: Row) -> Claim:
    ticks, hz = int(rearm_jiffies(both["hz"])), both["hz"]
    least, most = 1e3 * (ticks - 1) / hz, 1e3 * ticks / hz
    return Claim(
        '"Every 10ms, fq_flush_timeout fires"',
        CORRECTED,
        f"{least:g} to {most:g} ms after it is armed at HZ={hz}, as the timer wheel rounds up, and only while something"
        f" is queued: {_often(both)} under this load, {_often(idle)} with two unmaps a second on the same machine.",
        (both["id"], idle["id"]),
    )


def _often(row: Row) -> str:
    return f"{row['callback_count']:,} callbacks in {row['horizon_s']:g} s"


def _two_magazines(before: Row, sizes: Depot) -> Claim:
    pfns, capacity = sizes.array["magazine_pfns"], sizes.array["depot_capacity"]
    return Claim(
        '"Each CPU has two magazines of 128 PFNs; ... When the depot is also full, the overflow magazine is freed"',
        CONFIRMED if (MAGAZINES_A_CPU, pfns) == (2, 128) else CORRECTED,  # of 5.15: no run could say otherwise
        f"So the tree is touched after {MAGAZINES_A_CPU} x {pfns} + {capacity} x {pfns} = {sizes.overflow_pfns:,} pfns"
        f" of a bin, {-(-sizes.overflow_pfns // FQ_ENTRIES)} full rings in one drain, not after two magazines. In this"
        f" run all depots held {before['depot_magazines_peak']:,} magazines at most, and {before['rbtree_erases']:,}"
        " IOVAs were freed into the tree.",
        (before["id"],),
    )


def _eliminated(before: Row, first: Row) -> Claim:
    fewer = first["rbtree_erases"] < before["rbtree_erases"]
    nothing = not before["rbtree_erases"] and not first["rbtree_erases"]
    return Claim(
        '"the overflow path and its inline call to iova_magazine_free_pfns are eliminated"',
        NOT_SHOWN if nothing else CONFIRMED if fewer else CORRECTED,
        f"{before['rbtree_erases']:,} frees into the tree as it is, {first['rbtree_erases']:,} with patch 1; longest"
        f" callback {_ms(before['callback_max_ms'])}, then"
        f" {_ms(first['callback_max_ms'])}.",
        (before["id"], first["id"]),
    )


def _no_lockups(both: Row, oversize: Row, spikes: Mapping[str, Row]) -> Claim:
    without, with_it = (_ms(spikes[label]["irqs_off_max_ms"]) for label in (PATCH_1, BOTH))
    return Claim(
        '"reclaim runs in process context ... and therefore, cannot cause soft lockups"',
        CORRECTED,
        "The worker is in process context, but frees each magazine in one hold of iova_rbtree_lock with interrupts off:"
        f" after a spike the longest span so is {with_it}, {without} without the worker. The drain itself stays in the"
        f" softirq, {_ms(both['callback_max_ms'])} at most under this load. And IOVAs above"
        f" {RCACHE_MAX_PAGES} pages never come from a depot: this load in {oversize['iova_pages']} pages, with both"
        f" patches: {words.VERDICTS[oversize['verdict']]}, longest stay"
        f" {_ms(oversize['softirq_residency_max_ms'])}.",
        (both["id"], spikes[PATCH_1]["id"], spikes[BOTH]["id"], oversize["id"]),
    )


def _size(sizes: Depot) -> Claim:
    pinned = sizes.array["magazine_pfns"] * IOVA_NODE_BYTES
    return Claim(
        '"each magazine is 1024 bytes"',
        CONFIRMED if sizes.full_magazine_bytes == 1024 else CORRECTED,
        f"On 5.15 it is {sizes.struct_bytes:,} bytes, which kmalloc makes {sizes.array['magazine_bytes']:,}, and a full"
        f" one keeps {sizes.array['magazine_pfns']} struct iova of {IOVA_NODE_BYTES} bytes ({pinned:,}) allocated:"
        f" {sizes.full_magazine_bytes:,} in all. (1,024 is right from 6.1 on, with 127 pfns.)",
    )


def _modest(spikes: Mapping[str, Row]) -> Claim:
    before, both = spikes[BEFORE], spikes[BOTH]
    added = both["memory_peak_bytes"] - before["memory_peak_bytes"]
    sign = "+" if added >= 0 else "-"
    return Claim(
        '"even a large spike of unmaps on a many-CPU system represents modest memory"',
        CONFIRMED if both["memory_peak_bytes"] <= MODEST_BYTES else CORRECTED,
        f"After a spike that fills the rings of {both['active_cpus']:,} CPUs at once: peak"
        f" {words.memory(both['memory_peak_bytes'])} with both patches, {words.memory(before['memory_peak_bytes'])}"
        f" before ({sign}{words.memory(abs(added))}), domains of this kind: {both['domains']:,}. Modest is taken as"
        f" {words.memory(MODEST_BYTES)}.",
        (before["id"], both["id"]),
    )


def _converges(spike: Row, sizes: Depot) -> Claim:
    return Claim(
        '"the reclaim worker converges quickly"',
        CONFIRMED if spike["depot_reclaim_s"] <= QUICK_S else CORRECTED,
        f"It frees {sizes.trim_per_s:g} magazines a second and bin: {seconds(spike['depot_reclaim_s'])} for the"
        f" surplus of this spike. It never goes below num_online_cpus ({sizes.list_['trim_threshold']:,}) magazines a"
        f" bin: up to {words.memory(sizes.held_bytes(spike))} stay for good. Quick is taken as {seconds(QUICK_S)}.",
        (spike["id"],),
    )


def _ms(value_ms: float) -> str:
    return seconds(value_ms / 1e3)
