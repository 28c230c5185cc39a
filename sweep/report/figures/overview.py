"""map.svg, the one picture of a sweep: which machines lock up, before and after, and what that costs in memory."""

from __future__ import annotations

import polars as pl

from sweep.aggregate import highest
from sweep.report.answers.cells import verdict_cells
from sweep.report.answers.words import count
from sweep.report.figures.maps import lattice_of, rows_of
from sweep.report.figures.memory import added_column, peak_column
from sweep.report.figures.panels import small_multiples
from sweep.report.figures.phase import headline, verdict_columns
from sweep.report.figures.style import shown, to_svg
from sweep.report.view import View

MOST_HIDDEN = 4


def overview(view: View) -> str:
    """The map as SVG, the same text for the same results; it stands alone, so it says by itself what it shows."""
    cells = verdict_cells(view.loads).filter(pl.col("policy").is_in(view.shown))
    lattice, rows = lattice_of(cells), rows_of(cells)
    columns = verdict_columns(view, cells, lattice, rows, view.shown)
    if highest(cells["memory_peak_bytes"]) is not None:
        columns.append((added_column if view.pair else peak_column)(view, lattice, rows))
    said = (shown(headline(cells, view.shown), 100), _subtitle(view, int(cells["scenarios"].sum())))
    return to_svg("map", lambda: small_multiples(lattice, rows, columns, said))


def _subtitle(view: View, scenarios: int) -> str:
    more = len(view.hidden) - MOST_HIDDEN
    over = ", ".join(view.hidden[:MOST_HIDDEN]) + (f" and {more} more columns" if more > 0 else "")
    worst = f"the worst over {over}" if over else "a single load"
    panels = "A row of panels is an IOVA size, a cell a CPU count and an unmap rate"
    return f"{count(scenarios, 'scenario')}. {panels}: {worst}."
