"""One cell over time, before beside after: callback, stay in the softirq, depot and lock."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.figure import Figure as Drawing

from sweep.aggregate import highest
from sweep.config import RATE
from sweep.document import Figure
from sweep.report.answers.telling import Telling
from sweep.report.answers.words import pages, seconds, si
from sweep.report.figures.style import AFTER, BEFORE, shown, to_svg
from sweep.report.view import View
from workers.jiffies import rearm_period_ms

POINTS, LOCK_SPANS = 400, 75
"""Spans of time that a trace is drawn in: the greatest value of each, so that no peak is lost; the lock's mean."""

TRACES = {
    "callback_ms": "callback so far, ms",
    "residency_ms": "stay in the softirq, ms",
    "depot_magazines": "depot, magazines",
    "lock_held": "rbtree lock held,\nshare of the time",
}


def over_time(view: View, told: Telling) -> Figure:
    """The cell of ``answers.telling``."""
    policies = list(told.series)
    first = told.rows[policies[0]]
    rearm_ms = float(rearm_period_ms(np.array(first["hz"])))
    load = f"{first['cpus']} CPUs, IOVAs of {pages(first['iova_pages'])}, {si(first[RATE])} unmaps/s per CPU"
    longest = [f"{seconds(row['softirq_residency_max_ms'] / 1e3)} with {p}" for p, row in told.rows.items()]
    title = f"{load}: the longest stay in the softirq is {' and '.join(longest)}"
    traces = {p: {name: trace(series, name) for name in TRACES} for p, series in told.series.items()}
    most = {name: max(float(traces[p][name][1].max()) for p in policies) for name in TRACES}

    def draw() -> Drawing:
        width, height = 0.95 + 3.2 * len(policies), 0.9 + 1.35 * len(TRACES)
        figure = Drawing(figsize=(width, height))
        axes = figure.subplots(len(TRACES), len(policies), sharex=True, sharey="row", squeeze=False)
        figure.subplots_adjust(0.85 / width, 0.55 / height, 1 - 0.1 / width, 1 - 0.35 / height, 0.07, 0.18)
        for j, policy in enumerate(policies):
            colour = BEFORE if j == 0 and len(policies) > 1 else AFTER
            for i, (name, label) in enumerate(TRACES.items()):
                axis = axes[i][j]
                axis.plot(*traces[policy][name], color=colour, lw=1.0)
                if name in ("callback_ms", "residency_ms"):
                    axis.axhline(rearm_ms, color="#000000", lw=0.8, ls=(0, (4, 2)))
                    axis.set_yscale("symlog", linthresh=rearm_ms, linscale=0.7)
                    marks = [0.0, rearm_ms, *(mark for mark in (100.0, 1e3, 1e4) if rearm_ms < mark <= most[name])]
                    axis.set_yticks(marks, [f"{mark:g}" for mark in marks])
                    axis.minorticks_off()
                axis.set_ylim(0, 1.15 * max(most[name], rearm_ms if axis.get_yscale() == "symlog" else 1e-3))
                axes[i][0].set_ylabel(label)
            axes[0][j].set_title(shown(view.side(policy)), fontsize=10, fontweight="bold")
            axes[-1][j].set_xlabel("virtual time, s")
        figure.align_ylabels()
        return figure

    each = [f"{view.side(p)}: {_most(series, traces[p])}" for p, series in told.series.items()]
    part = f" Shown are the first {told.shown_s:g} s of {first['horizon_s']:g} s." * (told.shown_s < first["horizon_s"])
    alt = f"Curves over {told.shown_s:.3g} s of virtual time. {'. '.join(each)}."
    note = f"{told.chosen}{part} The dashed line is the re-arm period, {rearm_ms:g} ms. {_again(told)}"
    return Figure("series", title, to_svg("series", draw), alt, note)


def _most(series: pl.DataFrame, traces: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The peaks of one side, in words."""
    callback, stay = (seconds((highest(series[name]) or 0) / 1e3) for name in ("callback_ms", "residency_ms"))
    return (
        f"longest callback {callback}, longest stay {stay}, at most {highest(series['depot_magazines']) or 0:,}"
        f" magazines in the depot, the lock held for {traces['lock_held'][1].mean():.0%} of the time"
    )


def _again(told: Telling) -> str:
    ids = " and ".join(str(row["id"]) for row in told.rows.values())
    return f"The whole of it again: python -m sweep output=DIR point=ID, with DIR this folder and ID {ids}."


def trace(series: pl.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times in s and values of a trace, shapes (spans,); of ``lock_held`` the share of each span, 1 at most."""
    count = min(series.height, LOCK_SPANS if name == "lock_held" else POINTS)
    time_ms = series["time_ms"].to_numpy()
    span = np.minimum((time_ms / time_ms[-1] * count).astype(int), count - 1)
    spans = np.unique(span)
    ends_s = np.maximum.reduceat(time_ms, np.searchsorted(span, spans)) / 1e3
    if name != "lock_held":
        return ends_s, np.maximum.reduceat(series[name].to_numpy(), np.searchsorted(span, spans))
    lasts_ms = np.diff(time_ms, prepend=0.0)
    held_ms = np.bincount(span, series["rbtree_lock_held_fraction"].to_numpy() * lasts_ms)[spans]
    return ends_s, np.minimum(held_ms / np.maximum(np.bincount(span, lasts_ms)[spans], 1e-9), 1.0)
