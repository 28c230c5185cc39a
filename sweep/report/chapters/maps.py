"""Which machines and loads lock up, and what the second policy changes."""

from __future__ import annotations

import polars as pl

from sweep.document import Block, Column, Paragraph, Section, Table
from sweep.pairs import CLASSES
from sweep.report.answers.loads import totals
from sweep.report.answers.words import seconds
from sweep.report.figures.phase import class_map, phase_map
from sweep.report.figures.style import CLASS_STYLES
from sweep.report.view import View

READING = (
    "A row of panels is an IOVA size, a cell a CPU count and an unmap rate of each active CPU; its colour is the worst"
    " over everything the map does not show{over}. The thick line is the boundary of soft lockups: where it turns back,"
    " there is a band, not a threshold. Cells not run, failed or not known are hatched and never taken as safe."
)
STRIPED = " Striped: outside the range in which the model was compared with the reference machine and agreed."
MOST_COLUMNS = 4


def section(view: View) -> Section:
    """Phase maps, the four classes, and both counted."""
    over = f" ({', '.join(view.hidden)})" if view.hidden else ""
    striped = STRIPED if int(view.loads["unchecked"].sum()) else ""
    blocks: list[Block] = [
        Paragraph(READING.format(over=over) + striped + view.rounded),
        phase_map(view, view.shown, "phase"),
    ]
    classes = class_map(view)
    if classes is not None:
        blocks += [classes, _by_size(view)]
    others = view.policies[len(view.shown) :]
    for first in range(0, len(others), MOST_COLUMNS):
        some = others[first : first + MOST_COLUMNS]
        blocks.append(phase_map(view, some, f"phase-others-{first // MOST_COLUMNS + 1}"))
    if others:
        blocks.append(_comparisons(view))
    return Section("Which machines lock up", tuple(blocks))


def _by_size(view: View) -> Table:
    """Pairs and stays by row of IOVA sizes."""
    before, after = view.shown
    sizes = view.loads.select("iova_pages", "size_order", "size_row").unique()
    pairs = view.paired.loads.filter(before=before, after=after).join(sizes, on="iova_pages")
    counts = pairs.group_by("size_order", "size_row").agg(pl.col("pairs", *CLASSES).sum()).sort("size_order")
    sides = {(r["policy"], r["size_row"]): r for r in totals(view.loads, "size_row").iter_rows(named=True)}
    rows = []
    for row in counts.iter_rows(named=True):
        both = [sides[policy, row["size_row"]] for policy in view.shown]
        stays = [None if s["softirq_residency_max_ms"] is None else s["softirq_residency_max_ms"] / 1e3 for s in both]
        rows.append(
            (
                row["size_row"],
                *(f"{row[name]:,}" for name in ("pairs", *CLASSES)),
                " → ".join(f"{side['chained']:,}" for side in both),
                " → ".join(map(seconds, stays)),
            )
        )
    columns = (
        Column("IOVA size"), Column("pairs", True), *(Column(CLASS_STYLES[name].label, True) for name in CLASSES),
        Column("chain", True), Column("longest stay in the softirq", True),
    )  # fmt: skip
    note = f"A pair is one scenario under {before} and under {after}; an arrow leads from the one to the other."
    return Table("Pairs by IOVA size", columns, tuple(rows), note)


def _comparisons(view: View) -> Table:
    """Every comparison of two policies, counted."""
    columns = (
        Column("before"), Column("after"), Column("pairs", True),
        *(Column(CLASS_STYLES[name].label, True) for name in CLASSES),
    )  # fmt: skip
    rows = tuple(
        (row["before"], row["after"], *(f"{row[name]:,}" for name in ("pairs", *CLASSES)))
        for row in view.paired.added.iter_rows(named=True)
    )
    return Table("Every two policies that are compared", columns, rows)
