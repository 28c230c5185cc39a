"""The text for the bug: a test plan, where problems could occur, and the report's claims against the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sweep.capacity import words
from sweep.document import Block, Bullets, Code, Column, Document, Paragraph, Section, Table
from sweep.sru import probes
from sweep.sru.claims import Depot, claims
from sweep.sru.jobs import job
from sweep.sru.runs import BOTH, OVERSIZE, POLICIES, Measured
from workers import MODEL_VERSION
from workers.results import rearm_period_ms
from workers.schema import RCACHE_MAX_PAGES

SHOWN = ("cpus", "active_cpus", "iova_pages", "unmap_burst", "in_flight", "domains", "hz")
AGAIN = "python -m sweep points=runs.csv point=ID"


def document(measured: Sequence[Measured], sizes: Sequence[Depot], repeat: str) -> Document:
    """``sizes``: of each host's depots; ``repeat``: the command that makes this again."""
    return Document(
        "fq_flush_timeout on 5.15: test plan, risks, claims",
        (Paragraph(_origin(measured, repeat)),),
        (
            Section("Test Plan", tuple(_test_plan(measured))),
            Section("Where problems could occur", tuple(_problems(measured, sizes))),
            Section("The report's claims", tuple(_claims(measured[0], sizes[0]))),
        ),
    )


def _origin(measured: Sequence[Measured], repeat: str) -> str:
    return (
        f"Every number below that has a run comes from a model of the allocator (version {MODEL_VERSION}), made by"
        f" {repeat} and {measured[0][BOTH]['horizon_s']:g} s of virtual time a run; {AGAIN} makes any of them again."
        " None was measured on a machine: the plan says how to."
    )


def _test_plan(measured: Sequence[Measured]) -> Iterator[Block]:
    yield Paragraph("Machines and loads:")
    names = ("Host", *SHOWN, "Unmaps/s a CPU", "Costs", "Load")
    yield Table(
        "Under test",
        tuple(Column(name, name in SHOWN and name != "iova_pages") for name in names),
        tuple(
            (
                one.host.name,
                *(str(one.host.scenario[name]) for name in SHOWN),
                words.rate(one.host.unmap_rate_per_s),
                one.host.host,
                one.host.workload or "given",
            )
            for one in measured
        ),
    )
    yield Bullets(
        (
            "Bare metal with the IOMMU on and lazy invalidation: iommu.strict=0, and DMA-FQ in"
            " /sys/kernel/iommu_groups/*/type of the device. Most virtual IOMMUs turn the flush queue off.",
            "max_sectors_kb of the disk at or above the largest block, as smaller limits split requests and so IOVAs.",
            "Watch dmesg for 'soft lockup' and 'rcu_sched detected stalls' throughout.",
        )
    )
    for one in measured:
        tool, text = job(one.host)
        yield Paragraph(f"{one.host.name}: the load, with {tool}. Keep it up while this counts, on each kernel:")
        yield Code(text)
    yield Paragraph("Callback times: histogram, longest, number (Ctrl-C prints them); then stays in the timer softirq.")
    yield Code(f"{probes.CALLBACK}\n\n{probes.STAY}")
    for one in measured:
        yield _expected(one)
    period_ms = float(rearm_period_ms(measured[0].host.scenario["hz"]))
    yield Paragraph(
        f"The fix is good where, with both patches, no soft lockup is reported in the hour and @longest_stay_us stays"
        f" below {1e3 * period_ms:,.0f} (the re-arm period) wherever the table says safe. Compare orders of magnitude:"
        " the costs of the machine are assumed."
    )


def _expected(one: Measured) -> Table:
    names = (
        "Kernel",
        "Verdict",
        "Callback p50 ms",
        "p99 ms",
        "Longest ms",
        "Longest stay ms",
        "Lockups an hour",
        "Run",
    )
    rows = tuple((label, *_timing(one[label]), one[label]["id"]) for label in POLICIES)
    return Table(f"{one.host.name}: to expect", tuple(Column(n, n not in names[:2] + names[-1:]) for n in names), rows)


def _timing(row: dict[str, Any]) -> tuple[str, ...]:
    times = ("callback_p50_ms", "callback_p99_ms", "callback_max_ms", "softirq_residency_max_ms")
    hazard = words.count(row["soft_lockup_hazard_per_hour"])
    return (words.VERDICTS[row["verdict"]], *(f"{row[name]:.3g}" for name in times), hazard)


def _problems(measured: Sequence[Measured], sizes: Sequence[Depot]) -> Iterator[Block]:
    names = (
        "Host",
        "Kernel",
        "Peak memory",
        "At the end",
        "Depot magazines, peak",
        "Reclaim s",
        "Held for good, at most",
    )
    yield Table(
        "Memory of one machine, all its domains",
        tuple(Column(n, n not in names[:2]) for n in names),
        tuple(
            (
                one.host.name,
                label,
                words.memory(one[label]["memory_peak_bytes"]),
                words.memory(one[label]["memory_end_bytes"]),
                f"{one[label]['depot_magazines_peak']:,}",
                f"{one[label]['depot_reclaim_s']:.3g}",
                words.memory(depot.held_bytes(one[label])) if label == BOTH else "",
            )
            for one, depot in zip(measured, sizes, strict=True)
            for label in POLICIES
        ),
        "Reclaim: what the worker needs for the largest surplus of a bin (inf: nothing trims). Held for good:"
        " num_online_cpus full magazines in every bin used.",
    )
    first, depot = measured[0], sizes[0]
    oversize = first[OVERSIZE]
    yield Bullets(
        (
            f"IOVAs above {RCACHE_MAX_PAGES} pages are as before: {first.host.name} with this load in 64 pages"
            f" {words.VERDICTS[oversize['verdict']]} with both patches (run {oversize['id']}).",
            "The drain is still one loop in the softirq over all possible CPUs: with very many CPUs, or costly ring"
            " entries, it can take longer than the re-arm period without any overflow.",
            f"A failed atomic allocation of a magazine still frees single IOVAs into the tree, as before. The model does"
            f" not fail allocations. A full magazine is {depot.full_magazine_bytes:,} bytes, not 1,024.",
            "The depot work and the drain take the same lock: a trim of 128 pfns holds it with interrupts off.",
        )
    )


def _claims(one: Measured, sizes: Depot) -> Iterator[Block]:
    rows = tuple(
        (claim.said, claim.judgement, claim.found, ", ".join(claim.runs) or "no run") for claim in claims(one, sizes)
    )
    yield Table(
        f"Against the runs of {one.host.name}",
        tuple(map(Column, ("The report says", "Judgement", "It is", "Runs"))),
        rows,
        f"A run again: {AGAIN}",
    )
