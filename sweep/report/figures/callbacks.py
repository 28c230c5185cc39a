"""Callback percentiles and stays in the softirq, machine by machine, against the limits."""

from __future__ import annotations

import math

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sweep.aggregate import highest, lowest
from sweep.document import Figure
from sweep.report.answers.callbacks import RCU_STALLS_S, SOFT_LOCKUP_S, by_machine, rearm_ms
from sweep.report.answers.words import listed, seconds
from sweep.report.figures.maps import rows_of
from sweep.report.figures.panels import cpu_ticks, grid
from sweep.report.figures.style import shown, to_svg
from sweep.report.view import View

LINES = {
    "callback_p50_ms": ("callback, median", "#7a7a7a", ":", "o"),
    "callback_p99_ms": ("callback, 99th percentile", "#4c8fbf", "-.", "s"),
    "callback_max_ms": ("longest callback", "#1f4e79", "--", "^"),
    "softirq_residency_max_ms": ("longest stay in the softirq", "#7a1430", "-", "D"),
}
"""Label, colour, dashes and marker."""

TICKS_MS = {
    10.0**power: label
    for power, label in zip(
        range(-4, 7),
        ("100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s"),
        strict=True,
    )
}


def percentiles(view: View) -> Figure | None:
    """The worst scenario of each machine; None where nothing was run."""
    found = by_machine(view.loads).filter(pl.col("policy").is_in(view.shown)).drop_nulls("softirq_residency_max_ms")
    if found.is_empty():
        return None
    rearm = rearm_ms(view.loads)
    ends_s = lowest(view.loads["horizon_low_s"]) or 0.0, highest(view.loads["horizon_high_s"]) or 0.0
    rows = rows_of(found)
    cpus = found["cell_cpus"].unique().sort().to_list()
    longest = found["softirq_residency_max_ms"]
    span_ms = (lowest(longest.filter(longest > 0)) or 1.0) / 3, max(1e3 * RCU_STALLS_S[-1], highest(longest) or 0) * 3
    said = [_reaches(found, policy, rearm[0]) for policy in view.shown]
    title = f"The softirq stays for the re-arm period ({_span(rearm, 'ms')}) and longer {listed(said)}"
    worst = [
        f"{view.side(p)}, {row}: longest stay {_range(found.filter(policy=p, size_row=row))}"
        for p in view.shown
        for row in rows
    ]

    def draw() -> Drawing:
        figure, axes = grid(len(rows), len(view.shown), 0.5, 1.45)
        axes[0][0].set_xscale("log", base=2)
        axes[0][0].set_yscale("log")
        for j, policy in enumerate(view.shown):
            for i, row in enumerate(rows):
                _panel(axes[i][j], found.filter(policy=policy, size_row=row))
                _limits(axes[i][j], rearm, ends_s, j == len(view.shown) - 1)
                axes[i][0].set_ylabel(f"{shown(row)}\ntime")
            axes[0][j].set_title(shown(view.side(policy)), fontsize=10, fontweight="bold")
            axes[-1][j].set_xlabel("CPUs of the machine")
        axes[0][0].set_ylim(*span_ms)
        ticks = {ms: text for ms, text in TICKS_MS.items() if span_ms[0] <= ms <= span_ms[1]}
        axes[0][0].set_yticks(list(ticks)[:: -(-len(ticks) // 6)], list(ticks.values())[:: -(-len(ticks) // 6)])
        axes[0][0].set_xlim(cpus[0] / 1.2, cpus[-1] * 1.2)
        axes[0][0].set_yticks([], minor=True)
        cpu_ticks(axes[0][0], tuple(cpus))
        figure.legend(
            *axes[0][0].get_legend_handles_labels(),
            loc="lower left",
            ncols=2,
            frameon=False,
            fontsize=8,
            handlelength=4,
        )
        return figure

    limits = [f"{limit_s:g} s" for limit_s in (SOFT_LOCKUP_S, *RCU_STALLS_S)]
    alt = (
        "Panels of times on a log scale against the machine's CPUs, a row an IOVA size, a column a policy, with lines"
        f" at the re-arm period, the end of the run, {listed(limits)}."
        f" {'. '.join(worst)}."
    )
    note = (
        f"Each point is the worst scenario of that machine. Runs end after {_span(ends_s, 's')} of virtual time: no"
        " stay is seen for longer than that, so a stay at that line may be of any length."
    )
    return Figure("callbacks", title, to_svg("callbacks", draw), alt, note)


def _panel(axis: Axes, here: pl.DataFrame) -> None:
    for name, (label, colour, dashes, marker) in LINES.items():
        finished = here.filter(pl.col(name) > 0)  # 0 stands for no finished callback
        axis.plot(
            finished["cell_cpus"], finished[name], label=label, color=colour, ls=dashes, marker=marker, ms=3.5, lw=1.3
        )


def _limits(axis: Axes, rearm: tuple[float, float], ends_s: tuple[float, float], named: bool) -> None:
    axis.axhspan(rearm[0], rearm[1] * 1.01, color="#000000", alpha=0.25, lw=0)
    axis.axhline(rearm[0], color="#000000", lw=0.9)
    marks = [(rearm[0], f"re-arm, {_span(rearm, 'ms')}"), (1e3 * ends_s[1], f"run ends, {_span(ends_s, 's')}")]
    axis.axhline(1e3 * ends_s[1], color="#8a8a8a", lw=0.9, ls=(0, (1, 1)))
    for limit_s in (SOFT_LOCKUP_S, *RCU_STALLS_S):
        axis.axhline(1e3 * limit_s, color="#7a1430", lw=0.8, ls=(0, (5, 2)))
    marks += [(1e3 * SOFT_LOCKUP_S, f"soft lockup {SOFT_LOCKUP_S:g} s, RCU {RCU_STALLS_S[0]:g} s")]
    marks.append((1e3 * RCU_STALLS_S[-1], f"RCU, Ubuntu, {RCU_STALLS_S[-1]:g} s"))
    for value_ms, text in marks if named else []:
        up = value_ms == 1e3 * RCU_STALLS_S[-1]
        axis.annotate(
            text, (1, value_ms), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="bottom" if up else "center", fontsize=6.5, annotation_clip=False,
        )  # fmt: skip


def _span(ends: tuple[float, float], unit: str) -> str:
    low, high = ends
    return f"{low:g} {unit}" if math.isclose(low, high) else f"{low:g} to {high:g} {unit}"


def _reaches(found: pl.DataFrame, policy: str, rearm_low_ms: float) -> str:
    """Where the stays of a policy reach the re-arm period."""
    here = found.filter(policy=policy)
    over = here.filter(pl.col("softirq_residency_max_ms") >= rearm_low_ms)
    if over.is_empty():
        return f"nowhere with {policy}"
    sizes, every = over["size_row"].n_unique(), here["size_row"].n_unique()
    return f"for {sizes} of {every} IOVA sizes with {policy} (from {lowest(over['cell_cpus']):g} CPUs)"


def _range(here: pl.DataFrame) -> str:
    if here.is_empty():
        return "not run"
    column = here["softirq_residency_max_ms"]
    return f"from {seconds((lowest(column) or 0) / 1e3)} to {seconds((highest(column) or 0) / 1e3)}"
