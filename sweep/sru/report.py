"""The text for the bug: a test plan, where problems could occur, and the report's claims against the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from sweep.aggregate import CALLBACK
from sweep.capacity import words
from sweep.capacity.fleet import HostClass
from sweep.capacity.totals import BOUNDS, HAZARD, Expectation
from sweep.document import Block, Bullets, Code, Column, Document, Paragraph, Section, Table
from sweep.report.answers.loads import CUT, SAFE, SHORT
from sweep.report.answers.words import cut_off, seconds, si, too_short
from sweep.sru import probes
from sweep.sru.claims import Depot, claims
from sweep.sru.jobs import RUNTIME_S, Job, job
from sweep.sru.runs import BOTH, OVERSIZE, POLICIES, SPIKES, Measured
from workers import MODEL_VERSION
from workers.jiffies import rearm_period_ms
from workers.schema import RCACHE_MAX_PAGES

SHOWN = ("cpus", "active_cpus", "iova_pages", "unmap_burst", "in_flight", "domains", "hz")
TITLE = "fq_flush_timeout on 5.15: test plan, risks and claims for "
AGAIN = "python -m sweep points=runs.csv point=ID"


def document(name: str, measured: Sequence[Measured], sizes: Sequence[Depot], repeat: str) -> Document:
    """``name``: of the host or fleet; ``sizes``: of each host's depots; ``repeat``: the command that makes this again.
    No run may have failed."""
    return Document(
        f"{TITLE}{name}",
        (Paragraph(_origin(measured, repeat)),),
        (
            Section("Test Plan", tuple(_test_plan(measured))),
            Section("Where problems could occur", tuple(_problems(measured, sizes))),
            Section("The report's claims", tuple(_claims(measured[0], sizes[0]))),
        ),
    )


def _origin(measured: Sequence[Measured], repeat: str) -> str:
    return (
        f"Every number below that names a run comes from a model of the allocator (version {MODEL_VERSION}),"
        f" {measured[0][BOTH]['horizon_s']:g} s of virtual time each, made by: {repeat}. Beside runs.csv, {AGAIN} makes"
        " any of them again. None was measured on a machine: the plan says how to."
    )


def _test_plan(measured: Sequence[Measured]) -> Iterator[Block]:
    yield _machines(measured)
    yield Bullets(
        (
            "Bare metal with the IOMMU on and lazy invalidation: iommu.strict=0, and DMA-FQ in"
            " /sys/kernel/iommu_groups/N/type of the device's group. Most virtual IOMMUs turn the flush queue off.",
            "max_sectors_kb of the disk at or above the largest block: smaller limits split requests, and so IOVAs.",
            "dmesg watched for 'soft lockup' and 'rcu_sched self-detected stall' throughout.",
            "Three kernels: 5.15 as it is, with patch 1 alone, with both.",
        )
    )
    for one in measured:
        load = job(one.host)
        demand = _demand(one.host, load)
        yield Paragraph(f"{one.host.name}: the load, with {load.tool}, to be kept up on each kernel. {demand}")
        yield Code(load.text)
    yield Paragraph(
        "Meanwhile, as root: callback times (histogram, longest, number; Ctrl-C prints them), then the same of the"
        " stays in the timer softirq."
    )
    yield Code(f"{probes.CALLBACK}\n\n{probes.STAY}")
    yield from map(_expected, measured)
    ticks = sorted({one.host.scenario["hz"] for one in measured})
    limits = ", ".join(f"{1e3 * float(rearm_period_ms(hz)):,.0f} at HZ={hz}" for hz in ticks)
    yield Paragraph(
        f"The fix is good where, with both patches, no soft lockup is reported in {RUNTIME_S:,} s and longest_stay_us"
        f" stays below the re-arm period ({limits}) wherever the table says safe. Compare orders of magnitude: the"
        " costs of the machine are assumed."
    )


def _machines(measured: Sequence[Measured]) -> Table:
    names = ("Host", *SHOWN, "Unmaps/s a CPU", "Costs", "Load")
    rows = tuple(
        (
            one.host.name,
            *(str(one.host.scenario[name]) for name in SHOWN),
            si(one.host.unmap_rate_per_s),
            one.host.host,
            one.host.workload or "given",
        )
        for one in measured
    )
    return Table("Machines and loads", tuple(Column(n, n in SHOWN and n != "iova_pages") for n in names), rows)


def _demand(host: HostClass, load: Job) -> str:
    """What the load takes of the devices of one domain."""
    requests_per_s = host.unmap_rate_per_s * host.scenario["active_cpus"]
    return (
        f"It asks the devices of each domain for {si(requests_per_s)} requests and"
        f" {words.memory(requests_per_s * load.request_bytes)} a second; of slower ones, make this text with their rate"
        " (unmap_rate_per_s)."
    )


def _expected(one: Measured) -> Table:
    names = (
        "Kernel",
        "Verdict",
        "Callback, p50",
        "p99",
        "Longest",
        "Longest stay",
        "Soft lockups an hour (90 %)",
        "Run",
    )
    columns = tuple(Column(name, name not in (*names[:2], "Run")) for name in names)
    rows = tuple((label, *_timing(one[label]), one[label]["id"]) for label in POLICIES)
    compared = all(one[label]["checked"] for label in POLICIES)
    note = "" if compared else "Outside the range in which the model agreed with the reference machine well enough."
    return Table(f"{one.host.name}: to expect", columns, rows, f"{_doubts(one)} {note}".strip())


def _doubts(one: Measured) -> str:
    """Which of the verdicts the end of the run may have made."""
    runs = pl.DataFrame([one[label] for label in POLICIES])
    short, cut = runs.select(SHORT.sum(), (SAFE & CUT).sum().alias("cut")).row(0)
    said = [too_short(short)] * (short > 0) + [cut_off(cut)] * (cut > 0)
    return f"{'; '.join(said)}: give a longer --horizon-s." if said else ""


def _timing(row: dict[str, Any]) -> tuple[str, ...]:
    hazard = words.estimate(Expectation(*(row[name] for name in (HAZARD, *BOUNDS))))
    return (words.VERDICTS[row["verdict"]], *(seconds(row[name] / 1e3) for name in CALLBACK), hazard)


def _problems(measured: Sequence[Measured], sizes: Sequence[Depot]) -> Iterator[Block]:
    yield _memory(measured, sizes)
    first, depot = measured[0], sizes[0]
    oversize = first[OVERSIZE]
    yield Bullets(
        (
            f"IOVAs above {RCACHE_MAX_PAGES} pages are as before: {first.host.name}, the same load in"
            f" {oversize['iova_pages']} pages: {words.VERDICTS[oversize['verdict']]} with both patches (run"
            f" {oversize['id']}).",
            "The drain is still one loop in the softirq over all possible CPUs: with very many CPUs, or costly ring"
            " entries, it can take longer than the re-arm period without any overflow.",
            f"Each magazine above the old limit is {depot.full_magazine_bytes:,} bytes with what it keeps allocated,"
            " not 1,024. Where an atomic allocation of one fails, single IOVAs go to the tree, as before; in the model"
            " none fails.",
            f"The worker and the drain take the same lock: a trim of {depot.list_['magazine_pfns']} pfns holds it with"
            " interrupts off.",
        )
    )


def _memory(measured: Sequence[Measured], sizes: Sequence[Depot]) -> Table:
    names = ("Host", "Run", "Peak", "At the end", "Depot magazines, peak", "Reclaim", "Held for good, at most")
    rows = tuple(
        (
            one.host.name,
            label,
            words.memory(one[label]["memory_peak_bytes"]),
            words.memory(one[label]["memory_end_bytes"]),
            f"{one[label]['depot_magazines_peak']:,}",
            seconds(one[label]["depot_reclaim_s"]),
            words.memory(depot.held_bytes(one[label])) if label in (BOTH, SPIKES[BOTH]) else "",
        )
        for one, depot in zip(measured, sizes, strict=True)
        for label in (*POLICIES, *SPIKES.values())
    )
    return Table(
        "Memory of one machine, all its domains",
        tuple(Column(name, name not in names[:2]) for name in names),
        rows,
        "A spike: all active CPUs unmap a ring's worth at once, each second. Reclaim: what the worker needs for the"
        " largest surplus of a bin. Held for good: num_online_cpus full magazines in every bin used.",
    )


def _claims(one: Measured, sizes: Depot) -> Iterator[Block]:
    rows = tuple((c.said, c.judgement, c.found, ", ".join(c.runs) or "no run") for c in claims(one, sizes))
    columns = tuple(map(Column, ("The report says", "Judgement", "It is", "Runs")))
    yield Table(f"Against the runs of {one.host.name}", columns, rows, f"A run again: {AGAIN}")
