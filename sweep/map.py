"""The map: which machines and workloads lock up, before and after the patch, and what it costs in memory.

Data first: ``cells`` reduces results to one row for each cell of each panel (worst case over
everything the panel does not show). Markup second: ``draw`` turns cells into a figure. Flat colours
that differ in lightness, each with its own hatch, so that the map survives grey print and colour blindness.
"""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import dataclass
from typing import Any

import matplotlib
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from sweep.aggregate import by_load, highest, lowest, with_rate
from sweep.config import RATE
from sweep.pairs import pairs, policies, varying
from workers.schema import VERDICTS

STYLE = {"ok": ("#d5ebe7", ""), "chained": ("#e69f00", "////"), "soft_lockup": ("#7a1430", "xxxx")}
"""Colour and hatch of a verdict; lightness falls from ok to soft_lockup."""

MEANING = {
    "ok": "ok: the flush timer lets go in time",
    "chained": "chained: the timer re-arms itself and stays in the softirq",
    "soft_lockup": "soft lockup",
}
NOT_RUN = ("#ededed", "\\\\\\")
NOT_RUN_LINES = "#c2c2c2"
MEMORY_COLOURS = ("#f7fbff", "#d6e5f4", "#abcfe6", "#6aaed6", "#3787c0", "#08458a")
"""No memory or less, then five steps of a factor of four, the last one up to the most there is."""

MAX_TICKS = 24
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "iova", "svg.fonttype": "none", "font.size": 9.0, "hatch.linewidth": 0.5}


@dataclass(frozen=True)
class Panels:
    """What the map shows: the policies compared (one or two) and the cells.

    ``cells``: a row a cell; columns policy ("" in the memory column of a pair), size_row, size_order,
    cpus, rate (the cell's centre), verdict (worst), mib (most), scenarios.
    """

    shown: tuple[str, ...]
    cells: pl.DataFrame
    hidden: tuple[str, ...]


def nearest(column: str, values: list[float], base: float, steps: int) -> pl.Expr:
    """``column`` itself when few values occur, else the nearest of ``steps`` per factor of ``base``."""
    if len(values) <= MAX_TICKS:
        return pl.col(column).cast(pl.Float64)
    scale = steps / math.log(base)
    return ((pl.col(column).cast(pl.Float64).log() * scale).round() / scale).exp().round_sig_figs(3)


def panels(results: pl.LazyFrame, paired: pl.LazyFrame | None = None) -> Panels:
    """The panels of results: array and list where both ran, else the first policies present.

    ``paired``: their ``sweep.pairs``, where somebody has them already.
    """
    shown = tuple(policies(results)[:2])
    frame = with_rate(results.filter(pl.col("policy").is_in(shown)))
    placed = {"cpus", "iova_pages", RATE, "burst_period_us"}
    if frame.select((pl.col("active_cpus") == pl.col("cpus")).all()).collect().item():
        placed.add("active_cpus")
    hidden = tuple(name for name in varying(frame, (RATE,)) if name not in placed)
    return Panels(shown, cells(frame, shown, paired), hidden)


def cells(frame: pl.LazyFrame, shown: tuple[str, ...], paired: pl.LazyFrame | None = None) -> pl.DataFrame:
    """One row for each policy, IOVA size, CPU count and rate: the worst verdict and the most memory.

    Rows with policy "" hold the memory column: what the second policy adds to the first (over the
    same scenarios), or the peak memory of the only one.
    """
    loads = by_load(frame)
    sizes = loads.select("iova_pages", "size_row", "size_order").unique()
    cpus = nearest("cpus", loads["cpus"].unique().to_list(), 2, 1)
    rate = nearest(RATE, loads[RATE].unique().to_list(), 10, 4)
    group = ["policy", "size_row", "size_order", cpus.alias("cell_cpus"), rate.alias("rate")]

    most, scenarios = (pl.col("memory_peak_bytes").max() / 2**20).alias("mib"), pl.col("scenarios").sum()
    out = loads.group_by(group).agg(worst(), most, scenarios)
    memory = out.with_columns(policy=pl.lit(""))
    if len(shown) > 1:
        both = with_rate(pairs(frame) if paired is None else paired).filter(before=shown[0], after=shown[1])
        most = (pl.col("memory_added_bytes").max() / 2**20).alias("mib")
        pair_loads = both.group_by("iova_pages", "cpus", RATE).agg(most, pl.len().alias("scenarios")).collect()
        placed = pair_loads.join(sizes, on="iova_pages").with_columns(policy=pl.lit(""))
        memory = placed.group_by(group).agg(pl.lit("").alias("verdict"), pl.col("mib").max(), scenarios)
    every = pl.concat([out, memory.drop_nulls("mib")], how="vertical").rename({"cell_cpus": "cpus"})
    return every.sort("size_order", "policy", "cpus", "rate")


def worst() -> pl.Expr:
    """The worst verdict of groups of ``by_load``: ok < chained < soft_lockup."""
    chained = pl.when(pl.col("chained").sum() > 0).then(pl.lit("chained")).otherwise(pl.lit("ok"))
    return pl.when(pl.col("locked").sum() > 0).then(pl.lit("soft_lockup")).otherwise(chained).alias("verdict")


def edges(centres: list[float]) -> list[float]:
    """Cell edges on a log scale: the geometric means between sorted centres, shape (n + 1,)."""
    middle = [math.sqrt(a * b) for a, b in itertools.pairwise(centres)]
    first = middle[0] / centres[0] if middle else 1 / math.sqrt(2)
    last = centres[-1] / middle[-1] if middle else math.sqrt(2)
    return [centres[0] / max(first, 1 / first), *middle, centres[-1] * max(last, 1 / last)]


def draw(view: Panels) -> Figure:
    """The figure: a row of panels an IOVA size, verdicts of each policy and memory beside them."""
    rows = view.cells.select("size_row", "size_order").unique().sort("size_order")["size_row"].to_list()
    columns = [*view.shown, ""]
    cpus = view.cells["cpus"].unique().sort().to_list()
    rates = view.cells["rate"].unique().sort().to_list()
    steps = memory_steps(highest(view.cells.filter(policy="")["mib"]) or 0.0)
    height = 2.0 * len(rows) + 2.0
    layout = ConstrainedLayoutEngine(rect=(0, 0.7 / height, 1, 1 - 1.4 / height), h_pad=0.06, w_pad=0.06)
    figure = Figure(figsize=(3.3 * len(columns) + 0.9, height), layout=layout)
    axes = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for i, row in enumerate(rows):
        for j, policy in enumerate(columns):
            here = view.cells.filter(size_row=row, policy=policy)
            _panel(axes[i][j], here, cpus, rates, steps if policy == "" else None)
            if i == 0:
                axes[i][j].annotate(
                    _column_title(view.shown, policy), (0.5, 1), (0, 20), xycoords="axes fraction",
                    textcoords="offset points", ha="center", va="bottom", fontsize=10, fontweight="bold",
                )  # fmt: skip
            axes[i][j].set_title(_panel_title(here, policy), fontsize=8.5, loc="left")
        axes[i][0].set_ylabel(f"{row}\nunmaps/s per active CPU")
    for axis in axes[-1]:
        axis.set_xlabel("CPUs of the machine")
    figure.text(0.012, 1 - 0.12 / height, headline(view), fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.45 / height, _subtitle(view), fontsize=9, va="top", color="#444444")
    _legends(figure, steps)
    return figure


def memory_steps(most_mib: float) -> list[float]:
    """Upper ends, in MiB, of the steps of MEMORY_COLOURS that ``most_mib`` needs: 0, then powers of four."""
    if most_mib <= 0:
        return [0.0]
    top = 4.0 ** math.ceil(math.log(most_mib, 4))
    return [0.0, *(top / 4.0**i for i in range(len(MEMORY_COLOURS) - 2, -1, -1))]


def memory_colour(mib: float, steps: list[float]) -> str:
    """The colour of a cell that takes ``mib``."""
    return MEMORY_COLOURS[next(i for i, step in enumerate(steps) if mib <= step)]


def _panel(axis: Axes, here: pl.DataFrame, cpus: list[float], rates: list[float], steps: list[float] | None) -> None:
    x, y = edges(cpus), edges(rates)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlim(x[0], x[-1])
    axis.set_ylim(y[0], y[-1])
    whole = [Rectangle((x[0], y[0]), x[-1] - x[0], y[-1] - y[0])]
    axis.add_collection(PatchCollection(whole, facecolor=NOT_RUN[0], edgecolor=NOT_RUN_LINES, hatch=NOT_RUN[1], lw=0))
    boxes: dict[tuple[str, str], list[Rectangle]] = {}
    for cell in here.iter_rows(named=True):
        i, j = cpus.index(cell["cpus"]), rates.index(cell["rate"])
        box = Rectangle((x[i], y[j]), x[i + 1] - x[i], y[j + 1] - y[j])
        style = STYLE[cell["verdict"]] if steps is None else (memory_colour(cell["mib"], steps), "")
        boxes.setdefault(style, []).append(box)
    for (colour, hatch), group in sorted(boxes.items(), key=lambda item: item[0]):
        line = "#ffffff" if hatch == "" else "#5c5c5c" if colour == STYLE["chained"][0] else "#d8a0ad"
        axis.add_collection(PatchCollection(group, facecolor=colour, edgecolor=line, hatch=hatch, linewidth=0.4))
    _ticks(axis, cpus, rates)


def _ticks(axis: Axes, cpus: list[float], rates: list[float]) -> None:
    shown = cpus if len(cpus) <= 8 else [c for c in cpus if math.log2(c).is_integer()] or cpus[::4]
    axis.set_xticks(shown, [f"{c:g}" for c in shown])
    decades = [r for r in rates if len(rates) <= 8 or _is_decade(r)] or rates[:: max(1, len(rates) // 4)]
    axis.set_yticks(decades, [si(r) for r in decades])
    axis.minorticks_off()


def _is_decade(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6


def si(value: float) -> str:
    """A number as people say it: 950, 1k, 2.5M."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _column_title(shown: tuple[str, ...], policy: str) -> str:
    if policy == "":
        return "peak memory" if len(shown) == 1 else f"memory {shown[1]} adds"
    if len(shown) == 1:
        return policy
    return f"{'before' if policy == shown[0] else 'after'}: {policy}"


def _panel_title(here: pl.DataFrame, policy: str) -> str:
    if here.is_empty():
        return "not run"
    if policy == "":
        return f"at most {highest(here['mib']):.3g} MiB"
    locked = here.filter(verdict="soft_lockup")
    if locked.height:
        cpus, rate = lowest(locked["cpus"]) or 0, lowest(locked["rate"]) or 0
        return f"{locked.height} of {here.height} lock up: from {cpus:g} CPUs, from {si(rate)}/s"
    chained = here.filter(verdict="chained").height
    return f"never locks up; {chained} of {here.height} chain" if chained else "never locks up"


def headline(view: Panels) -> str:
    """The finding in one sentence."""
    counts = []
    for policy in view.shown:
        of = view.cells.filter(policy=policy)
        counts.append((of.filter(verdict="soft_lockup").height, of.height))
    if len(counts) == 1:
        return f"{view.shown[0]}: {counts[0][0]} of {counts[0][1]} machine and workload cells lock up"
    (a, n), (b, m) = counts
    if a == b == 0:
        return f"Nothing locks up, neither with {view.shown[0]} nor with {view.shown[1]}"
    return f"{a} of {n} cells lock up before ({view.shown[0]}), {b} of {m} after ({view.shown[1]})"


def _subtitle(view: Panels) -> str:
    runs = view.cells.filter(pl.col("policy") != "")["scenarios"].sum()
    named, more = view.hidden[:4], len(view.hidden) - 4
    over = ", ".join(named) + (f" and {more} more columns" if more > 0 else "")
    worst_of = f"the worst over {over}" if over else "a single load"
    return f"{runs:,} scenarios. A row of panels an IOVA size, a cell a CPU count and unmap rate: {worst_of}."


def _legends(figure: Figure, steps: list[float]) -> None:
    verdicts = [
        Patch(facecolor=STYLE[name][0], hatch=STYLE[name][1], edgecolor="#5c5c5c", lw=0.4, label=MEANING[name])
        for name in VERDICTS
    ]
    verdicts.append(Patch(facecolor=NOT_RUN[0], hatch=NOT_RUN[1], edgecolor=NOT_RUN_LINES, lw=0.4, label="not run"))
    options = {"frameon": False, "fontsize": 8.5, "handlelength": 2.4, "handleheight": 1.2}
    figure.legend(handles=verdicts, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=2, **options)
    labels = ["0 or less", *(f"to {step:.3g}" for step in steps[1:])]
    memory = [
        Patch(facecolor=colour, edgecolor="#8c8c8c", lw=0.4, label=label)
        for colour, label in zip(MEMORY_COLOURS, labels, strict=False)
    ]
    figure.legend(
        handles=memory, loc="lower right", bbox_to_anchor=(0.99, 0.0), ncols=3, title="MiB, most of a cell",
        title_fontsize=8.5, alignment="left", **options,
    )  # fmt: skip


def svg(view: Panels) -> bytes:
    """The map as SVG, the same bytes for the same panels."""
    drawn = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        draw(view).savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
