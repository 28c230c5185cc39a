"""Small multiples of maps: x CPUs (log2), y unmap rate (log), a cell a colour. A path a class and panel, however many
cells, so that the SVG of a large sweep stays small."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from sweep.report.answers.words import si
from sweep.report.figures.style import NOT_RUN, UNCHECKED, Style, is_light, shown

ABSENT = -1
PANEL_IN = (3.0, 1.6)
"""Width and height of a panel in inches."""


@dataclass(frozen=True)
class Lattice:
    """The cells of every panel: their centres, CPUs and rates, both sorted."""

    cpus: tuple[float, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One map: ``codes`` (rates, cpus), the place of a cell's class in its column's styles, ABSENT where nothing was
    run; ``striped`` (rates, cpus), cells outside the range checked; ``border``: the code on the one side of the
    boundary that is drawn and the codes on the other."""

    title: str
    codes: np.ndarray
    striped: np.ndarray | None = None
    border: tuple[int, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Column:
    """A column of panels, from top to bottom, and the classes of their cells."""

    title: str
    styles: tuple[Style, ...]
    panels: tuple[Panel, ...]
    legend: str = ""


def small_multiples(lattice: Lattice, rows: list[str], columns: list[Column], said: tuple[str, ...] = ()) -> Figure:
    """The figure; ``rows``: the name of each row of panels; ``said``: a headline, and lines below it, above all."""
    every = [panel for column in columns for panel in column.panels]
    marks = [NOT_RUN] * any((panel.codes == ABSENT).any() for panel in every)
    marks += [UNCHECKED] * any(panel.striped is not None and bool(panel.striped.any()) for panel in every)
    legends = _legends(columns)
    legends[0] = (legends[0][0], [*legends[0][1], *marks])
    wide = 2 if len(legends) == 1 < len(columns) else 1
    lines = max(math.ceil(len(styles) / wide) + bool(title) for title, styles in legends)
    below_in = 0.1 + 0.19 * lines
    figure, axes = grid(len(rows), len(columns), below_in, above_in=0.3 * len(said))
    x, y = edges(lattice.cpus), edges(lattice.rates)
    _frame(axes[0][0], lattice, x, y)
    for j, column in enumerate(columns):
        for i, panel in enumerate(column.panels):
            _draw(axes[i][j], x, y, panel, column.styles)
        axes[0][j].annotate(
            shown(column.title), (0.5, 1), (0, 20), xycoords="axes fraction", textcoords="offset points",
            ha="center", va="bottom", fontsize=10, fontweight="bold",
        )  # fmt: skip
        axes[-1][j].set_xlabel("CPUs of the machine")
    for i, row in enumerate(rows):
        axes[i][0].set_ylabel(f"{shown(row)}\nunmaps/s per CPU")
    for place, text in enumerate(said):
        at = 1 - (0.12 + 0.3 * place) / figure.get_figheight()
        size, weight = (12, "bold") if place == 0 else (8.5, "normal")
        figure.text(0.012, at, text, va="top", fontsize=size, fontweight=weight)
    top = below_in / figure.get_figheight()
    for place, (title, styles) in enumerate(legends):
        _legend(figure, title, styles, (0.01 + place / len(legends), top), wide)
    return figure


def _legends(columns: list[Column]) -> list[tuple[str, list[Style]]]:
    """Title and entries of each legend: one for columns with the same classes."""
    found: dict[tuple[str, tuple[Style, ...]], set[int]] = {}
    for column in columns:
        occur = found.setdefault((column.legend, column.styles), set())
        occur.update(code for panel in column.panels for code in np.unique(panel.codes).tolist())
    return [
        (title, [style for code, style in enumerate(styles) if code in occur or not style.optional])
        for (title, styles), occur in found.items()
    ]


def _legend(figure: Figure, title: str, styles: list[Style], at: tuple[float, float], columns: int) -> None:
    patches = [Patch(facecolor=s.colour, hatch=s.hatch, edgecolor=s.line, lw=0.4, label=s.label) for s in styles]
    figure.legend(
        handles=patches, loc="upper left", bbox_to_anchor=at, ncols=columns, frameon=False, borderpad=0.0,
        fontsize=8, handlelength=2.4, handleheight=1.2, title=title or None, title_fontsize=8, alignment="left",
    )  # fmt: skip


def grid(rows: int, columns: int, below_in: float, right_in: float = 0.1, above_in: float = 0.0) -> tuple[Figure, Any]:
    """A figure of panels that share their axes, with room in inches for a legend below, names beside and texts above;
    by inches and not by the sizes of texts, so that it is the same with any font."""
    left_in, top_in, bottom_in, gap_in = 0.95, 0.55 + above_in, 0.5 + below_in, (0.15, 0.32)
    width = left_in + columns * PANEL_IN[0] + right_in
    height = top_in + rows * PANEL_IN[1] + bottom_in
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panel = PANEL_IN[0] - gap_in[0], PANEL_IN[1] - gap_in[1]
    figure.subplots_adjust(
        left=left_in / width, right=1 - right_in / width, bottom=bottom_in / height, top=1 - top_in / height,
        wspace=gap_in[0] / panel[0], hspace=gap_in[1] / panel[1],
    )  # fmt: skip
    return figure, axes


def _frame(axis: Axes, lattice: Lattice, x: list[float], y: list[float]) -> None:
    """Scales, limits and ticks of all panels, which share them."""
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlim(x[0], x[-1])
    axis.set_ylim(y[0], y[-1])
    cpu_ticks(axis, lattice.cpus)
    rates = lattice.rates
    decades = [r for r in rates if len(rates) <= 8 or _is_decade(r)] or rates[:: max(1, len(rates) // 4)]
    axis.set_yticks(decades, [si(r) for r in decades])
    axis.set_yticks([], minor=True)


def _draw(axis: Axes, x: list[float], y: list[float], panel: Panel, styles: tuple[Style, ...]) -> None:
    axis.set_title(panel.title, fontsize=8.5, loc="left")
    for code, style in ((ABSENT, NOT_RUN), *enumerate(styles)):
        _fill(axis, boxes(panel.codes == code, x, y), style)
    lines = [[(a, y[0]), (a, y[-1])] for a in x[1:-1]] + [[(x[0], b), (x[-1], b)] for b in y[1:-1]]
    _stroke(axis, lines, "#ffffff", 0.6 if len(lines) <= 16 else 0.3)
    if panel.striped is not None:
        for code, style in enumerate(styles):
            stripes = replace(UNCHECKED, colour="none", line=UNCHECKED.line if is_light(style.colour) else "#ffffff")
            _fill(axis, boxes(panel.striped & (panel.codes == code), x, y), stripes)
    if panel.border is not None:
        unsafe, safe = panel.border
        border = boundary(panel.codes == unsafe, np.isin(panel.codes, safe), x, y)
        _stroke(axis, border, "#ffffff", 3.6)
        _stroke(axis, border, "#000000", 1.8)


def _fill(axis: Axes, corners: list[tuple[float, float, float, float]], style: Style) -> None:
    if not corners:
        return
    points = [p for a, b, c, d in corners for p in ((a, b), (c, b), (c, d), (a, d), (a, b))]
    codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * len(corners)
    patch = PathPatch(Path(points, codes), facecolor=style.colour, edgecolor=style.line, hatch=style.hatch, lw=0)
    axis.add_patch(patch)


def _stroke(axis: Axes, lines: list[list[tuple[float, float]]], colour: str, width: float) -> None:
    if not lines:
        return
    codes = [code for line in lines for code in (Path.MOVETO, *[Path.LINETO] * (len(line) - 1))]
    path = Path([point for line in lines for point in line], codes)
    axis.add_patch(PathPatch(path, fill=False, edgecolor=colour, lw=width, capstyle="projecting"))


def boxes(mask: np.ndarray, x: list[float], y: list[float]) -> list[tuple[float, float, float, float]]:
    """Rectangles (left, low, right, high) that cover the cells of a mask (rates, cpus): a run of a row each."""
    found = []
    for i, row in enumerate(mask):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        found += [(x[a], y[i], x[b], y[i + 1]) for a, b in ends.reshape(-1, 2).tolist()]
    return found


def boundary(unsafe: np.ndarray, safe: np.ndarray, x: list[float], y: list[float]) -> list[list[tuple[float, float]]]:
    """The edges between unsafe and safe cells, masks (rates, cpus), as lines of two points."""
    across = (unsafe[:, 1:] & safe[:, :-1]) | (safe[:, 1:] & unsafe[:, :-1])
    along = (unsafe[1:] & safe[:-1]) | (safe[1:] & unsafe[:-1])
    upright = [[(x[j + 1], y[i]), (x[j + 1], y[i + 1])] for i, j in np.argwhere(across).tolist()]
    return upright + [[(x[j], y[i + 1]), (x[j + 1], y[i + 1])] for i, j in np.argwhere(along).tolist()]


def edges(centres: tuple[float, ...] | list[float]) -> list[float]:
    """Cell edges on a log scale: the geometric means between sorted centres, shape (n + 1,)."""
    middle = [math.sqrt(a * b) for a, b in itertools.pairwise(centres)]
    first = middle[0] / centres[0] if middle else 1 / math.sqrt(2)
    last = centres[-1] / middle[-1] if middle else math.sqrt(2)
    return [centres[0] / max(first, 1 / first), *middle, centres[-1] * max(last, 1 / last)]


def cpu_ticks(axis: Axes, cpus: tuple[float, ...]) -> None:
    """Ticks at CPU counts, the powers of two of many."""
    labelled = cpus if len(cpus) <= 8 else [c for c in cpus if math.log2(c).is_integer()] or cpus[::4]
    axis.set_xticks(labelled, [f"{c:g}" for c in labelled], minor=False)
    axis.set_xticks([], minor=True)


def _is_decade(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6
