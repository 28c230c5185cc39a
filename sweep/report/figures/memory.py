"""Memory maps: what each policy takes at the peak and what the second adds; what stays, and until when."""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

from sweep.aggregate import highest
from sweep.document import Figure
from sweep.report.answers.cells import class_cells, verdict_cells
from sweep.report.answers.paired import most_added
from sweep.report.answers.words import mib, pages, seconds
from sweep.report.figures.maps import alt_text, lattice_of, rows_of, spread
from sweep.report.figures.panels import Column, Lattice, Panel, small_multiples
from sweep.report.figures.scales import scale_of
from sweep.report.figures.style import to_svg
from sweep.report.view import View

MIB, GIB = 2.0**20, 2.0**30


def peak_map(view: View) -> Figure | None:
    """The peak of each policy shown, and what the second adds to the same scenarios; None where nothing was run."""
    cells = verdict_cells(view.loads).filter(pl.col("policy").is_in(view.shown))
    lattice, rows = lattice_of(cells), rows_of(cells)
    most = highest(cells[_PEAK.name])
    if most is None:
        return None
    columns = [_column(cells, cells.filter(policy=p), _PEAK, view.side(p), lattice, rows) for p in view.shown]
    title = f"Peak memory is at most {mib(most)} MiB with {view.shown[0]}"
    if view.pair:
        columns.append(added_column(view, lattice, rows))
        title = _added_title(view)
    svg = to_svg("memory", lambda: small_multiples(lattice, rows, columns))
    return Figure("memory", title, svg, alt_text(rows, columns, []))


def held_map(view: View) -> Figure | None:
    """What the last policy shown holds at the end of the run, in address space, and how long until it is trimmed."""
    policy = view.shown[-1]
    every = verdict_cells(view.loads).filter(pl.col("policy").is_in(view.shown))
    cells, lattice, rows = every.filter(policy=policy), lattice_of(every), rows_of(every)
    if highest(cells["memory_end_bytes"]) is None:
        return None
    named = {
        "held at the end": _Quantity("memory_end_bytes", MIB, "MiB", "memory"),
        "address space cached": _Quantity("iova_space_cached_peak_bytes", GIB, "GiB", "address space"),
        "until it is trimmed": _Quantity("depot_reclaim_s", 1.0, "s", "time"),
    }
    columns = [_column(cells, cells, quantity, title, lattice, rows) for title, quantity in named.items()]
    space, reclaim = highest(cells["iova_space_cached_peak_bytes"]) or 0, highest(cells["depot_reclaim_s"]) or 0
    trimmed = (
        "no depot is above what it keeps for good"
        if not reclaim
        else "nothing trims the depot"
        if math.isinf(reclaim)
        else f"the fullest depot takes {seconds(reclaim)} to trim"
    )
    title = f"With {policy} cached IOVAs hold up to {space / GIB:.3g} GiB of address space; {trimmed}"
    svg = to_svg("held", lambda: small_multiples(lattice, rows, columns))
    return Figure("held", title, svg, alt_text(rows, columns, []))


def added_column(view: View, lattice: Lattice, rows: list[str]) -> Column:
    """What the second of two policies adds to the peak of the same scenarios."""
    pairs = class_cells(view.loads, view.paired.loads, *view.shown)
    added = _Quantity("added_bytes", MIB, "MiB", "memory added to the same scenario")
    return _column(pairs, pairs, added, f"memory {view.shown[1]} adds", lattice, rows)


def peak_column(view: View, lattice: Lattice, rows: list[str]) -> Column:
    """The peak of the first policy."""
    cells = verdict_cells(view.loads).filter(policy=view.shown[0])
    return _column(cells, cells, _PEAK, "peak memory", lattice, rows)


class _Quantity(NamedTuple):
    name: str
    divisor: float
    unit: str
    legend: str


_PEAK = _Quantity("memory_peak_bytes", MIB, "MiB", "peak memory")


def _column(
    scaled: pl.DataFrame, cells: pl.DataFrame, what: _Quantity, title: str, lattice: Lattice, rows: list[str]
) -> Column:
    """The panels of a quantity; the steps are those of all cells ``scaled``."""
    scale = scale_of(scaled[what.name].drop_nulls().cast(pl.Float64) / what.divisor, what.unit)
    panels = []
    for row in rows:
        here = cells.filter(size_row=row)
        values = (here[what.name].cast(pl.Float64) / what.divisor).fill_null(math.nan).to_numpy()
        top = highest(here[what.name])
        said = "no figure" if top is None else "none" if top == 0 else f"at most {top / what.divisor:.3g} {what.unit}"
        panels.append(Panel("not run" if here.is_empty() else said, spread(here, lattice, scale.codes(values))))
    return Column(title, scale.styles, tuple(panels), f"{what.legend}, {what.unit}")


def _added_title(view: View) -> str:
    before, after = view.shown
    added = most_added(view.paired, before, after)
    if added is None:
        return f"No scenario was run under both {before} and {after}: nothing to say of the price"
    return (
        f"{after} adds {mib(added.median_bytes)} MiB of peak memory at the median,"
        f" {mib(added.most_bytes)} MiB at most ({added.cpus} CPUs, IOVAs of {pages(added.iova_pages)})"
    )
