"""What each policy costs in memory."""

from __future__ import annotations

from sweep.document import Block, Column, Paragraph, Section, Table
from sweep.report.answers.price import keeps, prices
from sweep.report.answers.words import mib, seconds
from sweep.report.figures.memory import held_map, peak_map
from sweep.report.view import View
from workers.schema import RCACHE_BINS, ScenarioError

PARTS = (
    "Peak memory is that of the CPUs' magazines, the depot's, the struct iovas and the flush queues, each at its peak,"
    " times domains. What a depot keeps for good is what nothing ever gives back: an array all it has room for, a"
    " trimmed list its threshold of magazines, each with the struct iovas of its IOVAs; that is in each bin and domain,"
    f" and there are {RCACHE_BINS} bins."
)


def section(view: View) -> Section | None:
    """Tables and maps; None where nothing was run."""
    found = prices(view.results.table)
    if found["memory_peak_bytes_most"].null_count() == found.height:
        return None
    maps = [figure for figure in (peak_map(view), held_map(view)) if figure is not None]
    blocks: list[Block] = [
        _table(view, {row["policy"]: row for row in found.iter_rows(named=True)}),
        Paragraph(PARTS),
        *maps,
    ]
    return Section("The price of the patch" if view.pair else "What it costs in memory", tuple(blocks))


def _table(view: View, found: dict[str, dict[str, float]]) -> Table:
    columns = (
        Column("policy"), Column("peak, median", True), Column("peak, most", True), Column("at the end, most", True),
        Column("magazines a bin kept for good", True), Column("MiB of these", True),
        Column("address space cached, GiB", True), Column("time to trim, most", True),
    )  # fmt: skip
    rows = []
    for policy in view.policies:
        row = found[policy]
        space = row["iova_space_cached_peak_bytes_most"]
        rows.append(
            (
                view.side(policy),
                *(mib(row[f"memory_{name}"]) for name in ("peak_bytes_median", "peak_bytes_most", "end_bytes_most")),
                *_kept(view, policy, int(row["cpus"])),
                "–" if space is None else f"{space / 2**30:.3g}",
                seconds(row["depot_reclaim_s_most"]),
            )
        )
    most = max(int(row["cpus"]) for row in found.values())
    note = f"Memory in MiB. Kept for good: on {most} CPUs, the most of this sweep. Nothing trims an array."
    return Table("Memory by policy", columns, tuple(rows), note)


def _kept(view: View, policy: str, cpus: int) -> tuple[str, str]:
    """What the depot keeps, from the policy's file as the manifest has it."""
    keys = view.results.manifest.get("policies", {}).get(policy)
    try:
        kept = keeps(policy, keys, cpus) if isinstance(keys, dict) else None
    except ScenarioError:  # a manifest of another version
        kept = None
    if kept is None:
        return "–", "–"
    return ("all", "no limit") if kept.magazines is None else (f"{kept.magazines:,}", mib(kept.bytes))
