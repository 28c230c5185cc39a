"""The picture of a fleet: how far each host class is from locking up, as it is and with the fix."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from sweep import document
from sweep.capacity import words
from sweep.capacity.search import LADDER, factor
from sweep.capacity.study import Findings, Line
from sweep.report.answers.words import count
from sweep.report.figures.style import AFTER, BEFORE, shown, to_svg

ROW_IN, EDGE_IN = 0.32, 1.1
"""Height of a host class and of what is around them, in inches."""

LEAST, MOST = factor(LADDER[0]), factor(LADDER[-1])
NONE_AT = LEAST / 2
"""Where a line is drawn that has no safe rate."""


def headroom(findings: Sequence[Findings]) -> document.Figure:
    """A row a host class: a ring where its kernel stands, a dot where the fix does, on factors of today's load."""
    short, failed = (sum(found.now.safe is kind for found in findings) for kind in (False, None))
    of = count(len(findings), "host class", "host classes")
    unknown = f", not known: {failed}" if failed else ""
    title = f"Not safe at today's rate as they are: {short} of {of}{unknown}"
    title = title if short or failed else "All are safe at today's rate"
    alt = "; ".join(
        f"{found.host.name}: {words.headroom(found.now)} as it is, {words.headroom(found.after)} with the fix"
        for found in findings
    )
    note = (
        "Ring: the kernel that it has. Dot: with the fix. An arrow means that nothing unsafe was found; a cross, that"
        f" the run of the next rate failed; a place left of x{LEAST:g}, that not even that is known to be safe. The"
        " line at x1 is the load as it is. Safe rates above an unsafe one are not drawn."
    )
    return document.Figure("headroom", title, to_svg("headroom", lambda: _draw(findings)), alt, note)


def _draw(findings: Sequence[Findings]) -> Drawing:
    figure = Drawing(figsize=(7.0, EDGE_IN + ROW_IN * len(findings)), layout="constrained")
    axes = figure.subplots()
    for place, found in enumerate(findings):
        ends = [_at(line) for line in (found.now, found.after)]
        axes.plot(ends, [place, place], color="#b5b5b5", linewidth=1.5, zorder=1)
        _mark(axes, found.now, place, BEFORE, filled=False)
        _mark(axes, found.after, place, AFTER, filled=True)
    axes.axvline(1.0, color="#333333", linewidth=1.0, linestyle="--", zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xlim(NONE_AT / 1.4, MOST * 1.4)
    ticks = [factor(step) for step in LADDER]
    axes.set_xticks([NONE_AT, *ticks], ["none", *(f"x{tick:g}" if tick >= 1 else f"x1/{1 / tick:g}" for tick in ticks)])
    axes.set_yticks(range(len(findings)), [shown(found.host.name) for found in findings])
    axes.set_ylim(len(findings) - 0.5, -0.5)
    axes.set_xlabel("Unmap rate that is safe, as a multiple of today's")
    return figure


def _at(line: Line) -> float:
    return NONE_AT if line.headroom.safe is None else line.headroom.safe


def _mark(axes: Axes, line: Line, place: int, colour: str, filled: bool) -> None:
    marker = "X" if line.headroom.failed is not None else ">" if line.headroom.unsafe is None else "o"
    face = colour if filled else "#ffffff"
    size, above = (7.0, 3) if filled else (11.0, 2)
    axes.plot([_at(line)], [place], marker, markersize=size, color=colour, markerfacecolor=face, zorder=above)
