"""Which knob moves the boundary: a bar a knob, how many of its lines cross."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure as Drawing

from sweep.document import Figure
from sweep.report.answers.words import listed, named, share
from sweep.report.figures.style import AFTER, BEFORE, shown, to_svg
from sweep.report.view import View


def knob_bars(view: View, found: pl.DataFrame) -> Figure | None:
    """``found``: of ``answers.knobs.sensitivity``; None where no two rows differ in one knob alone."""
    if found.is_empty():
        return None
    shares = found.with_columns(share=pl.col("crossing") / pl.col("lines"))
    order = shares.group_by("knob").agg(pl.col("share").max()).sort("share", "knob", descending=[True, False])
    knobs = order["knob"].to_list()
    sides = [p for p in (*view.shown, "") if shares.filter(policy=p).height]
    rows = {(row["policy"], row["knob"]): row for row in shares.iter_rows(named=True)}
    title = _title(shares, [policy for policy in sides if policy])
    hatches = {view.shown[0]: ("", BEFORE), view.shown[-1]: ("////", AFTER), "": ("", "#7a7a7a")}
    if len(view.shown) == 1:
        hatches[view.shown[0]] = ("", AFTER)

    def draw() -> Drawing:
        bars = [(knob, policy) for knob in knobs for policy in sides if (policy, knob) in rows]
        height = 0.24 * len(bars) + 0.9
        figure = Drawing(figsize=(7.2, height))
        axis = figure.subplots()
        figure.subplots_adjust(1.9 / 7.2, 0.55 / height, 0.99, 1 - 0.1 / height)
        place, ticks, named_sides = 0.0, [], set()
        for knob in knobs:
            here = [policy for k, policy in bars if k == knob]
            ticks.append((place + (len(here) - 1) / 2, named(knob)))
            for policy in here:
                row, (hatch, colour) = rows[policy, knob], hatches[policy]
                label = "_" if policy in named_sides else shown(view.side(policy)) if policy else "both policies"
                named_sides.add(policy)
                axis.barh(
                    place, 100 * row["share"], height=0.85, color=colour, hatch=hatch, ec="#ffffff", lw=0.4, label=label
                )
                axis.annotate(
                    _beside(row),
                    (100 * row["share"], place),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7.5,
                )
                place += 1
            place += 0.5
        axis.set_yticks([at for at, _ in ticks], [shown(text) for _, text in ticks])
        axis.tick_params(axis="y", length=0)
        axis.invert_yaxis()
        axis.set_xlim(0, 130)
        axis.set_xticks(range(0, 101, 20))
        axis.set_xlabel("lines that cross into soft lockup when this knob alone changes, %")
        axis.legend(frameon=False, fontsize=8, loc="lower right")
        return figure

    alt = "Bars. " + ". ".join(
        f"{named(knob)}{f', {view.side(policy)}' if policy else ''}: {_beside(rows[policy, knob], ' cross')}"
        for knob in knobs
        for policy in sides
        if (policy, knob) in rows
    )
    note = (
        "A line is all scenarios that differ in this knob alone; it crosses where some of them lock up and some do not."
        " The factor is by how much the longest stay in the softirq moves along a line, at the median; it is at least"
        " that, as no stay is seen for longer than a run."
    )
    return Figure("knobs", title, to_svg("knobs", draw), f"{alt}.", note)


def _title(shares: pl.DataFrame, policies: list[str]) -> str:
    """The knob that moves the boundary most under each policy; ``shares``: most crossings first."""
    tops = {policy: shares.filter(policy=policy).row(0, named=True) for policy in policies}
    crossing = {policy: row for policy, row in tops.items() if row["crossing"]}
    if not crossing:
        return (
            "No knob but the policy was turned alone"
            if not tops
            else "No knob alone takes a scenario over the boundary"
        )
    most = {policy: share(row["crossing"], row["lines"]) for policy, row in crossing.items()}
    knobs = {named(row["knob"]) for row in crossing.values()}
    if len(knobs) == 1:
        each = [f"{part} of its lines cross with {policy}" for policy, part in most.items()]
        return f"{knobs.pop()} moves the boundary most: {listed(each)}"
    each = [f"{named(row['knob'])} with {p} ({most[p]} of its lines cross)" for p, row in crossing.items()]
    return f"What moves the boundary most: {listed(each)}"


def _beside(row: dict[str, object], verb: str = "") -> str:
    factor = row["swing"]
    swing = (
        ""
        if not isinstance(factor, float)
        else f", stay × {factor:,.0f}"
        if factor >= 100
        else f", stay × {factor:.3g}"
    )
    return f"{row['crossing']:,} of {row['lines']:,}{verb}{swing}"
