"""From cells to the panels of a map, and to words for who cannot see it."""

from __future__ import annotations

import numpy as np
import polars as pl

from sweep.report.figures.panels import ABSENT, Column, Lattice


def lattice_of(cells: pl.DataFrame) -> Lattice:
    """The CPUs and rates of all panels."""
    cpus, rates = (tuple(cells[name].unique().sort().to_list()) for name in ("cell_cpus", "cell_rate"))
    return Lattice(cpus, rates)


def rows_of(cells: pl.DataFrame) -> list[str]:
    """The names of the rows of panels, from small IOVAs to large."""
    return cells.select("size_order", "size_row").unique().sort("size_order")["size_row"].to_list()


def spread(cells: pl.DataFrame, lattice: Lattice, codes: np.ndarray) -> np.ndarray:
    """Codes of cells as an array (rates, cpus), ABSENT where there is none."""
    grid = np.full((len(lattice.rates), len(lattice.cpus)), ABSENT)
    at = [
        np.searchsorted(a, cells[n].to_numpy()) for a, n in ((lattice.rates, "cell_rate"), (lattice.cpus, "cell_cpus"))
    ]
    grid[at[0], at[1]] = codes
    return grid


def alt_text(rows: list[str], columns: list[Column], said: list[str]) -> str:
    """What the panels show, in words: the sums, then panel by panel."""
    each = [
        f"{column.title}, {row}: {panel.title}"
        for column in columns
        for row, panel in zip(rows, column.panels, strict=True)
    ]
    sums = f"{'; '.join(said)}. " if said else ""
    return (
        "Maps with the machine's CPUs to the right and the unmap rate of each active CPU upwards, both on log scales, a"
        f" row an IOVA size. {sums}{'. '.join(each)}."
    )
