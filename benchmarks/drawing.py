"""How the documents' figures are drawn: one look, the same file at every run, a title and a description inside."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SETTINGS: dict[Any, Any] = {"svg.hashsalt": "iova", "svg.fonttype": "none", "font.size": 8.0}
DOCS = Path(__file__).parents[1] / "docs"


def compare(axis: Axes, x: Any, closure: Any, real: Any, color: str, label: str = "") -> None:
    """A closure's line and, in the same colour, dots for what it stands for."""
    axis.plot(x, closure, color=color, label=label)
    axis.plot(x, real, "o", color=color, markersize=3.5)


def ticks_at(axis: Axes, x: Any) -> None:
    """Numbers along the x axis at these places only."""
    axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.minorticks_off()


def file_to_write(name: str, says: str) -> Path:
    """Where the figure that ``says`` what it shows goes: the command line's argument, else the documents' own."""
    parser = argparse.ArgumentParser(description=says)
    parser.add_argument("out", type=Path, nargs="?", default=DOCS / name, help=f"an SVG file; default: docs/{name}")
    return Path(parser.parse_args().out)


def save(draw: Callable[[], Figure], out: Path, title: str, description: str) -> None:
    """Writes the figure as SVG that says, to those who cannot see it too, what it shows."""
    with matplotlib.rc_context(SETTINGS):
        draw().savefig(out, format="svg", metadata={"Date": None})
    out.write_text(named(out.read_text(encoding="utf-8"), title, description), encoding="utf-8")


def named(svg: str, title: str, description: str) -> str:
    """The SVG with a title and a description that screen readers read out."""
    head, start, body = svg.partition("<svg ")
    tag, end, rest = body.partition(">")
    said = f'\n <title id="title">{escape(title)}</title>\n <desc id="desc">{escape(description)}</desc>'
    return head + start + tag + ' role="img" aria-labelledby="title desc"' + end + said + rest
