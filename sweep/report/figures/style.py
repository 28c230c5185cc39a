"""Colours, hatches and SVG. What is worse is darker, and has a hatch of its own: so a picture survives grey print and
colour blindness."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from workers.schema import LOCKED

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "font.family": ["DejaVu Sans"],
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "path.simplify": True,
}
MAX_TEXT = 40


@dataclass(frozen=True)
class Style:
    """How the cells of one class look: what the legend calls them, their colour, hatch and the hatch's colour; whether
    the legend leaves it out where no cell has it."""

    label: str
    colour: str
    hatch: str = ""
    line: str = "#5c5c5c"
    optional: bool = False


VERDICT_STYLES = {
    "ok": Style("ok: the flush timer lets go in time", "#d5ebe7"),
    "chained": Style("chained: it runs again and again, but ends", "#e69f00", "////"),
    LOCKED: Style("soft lockup", "#7a1430", "xxxx", "#d8a0ad"),
}
CLASS_STYLES = {
    "safe_in_both": Style("safe in both", "#dbe9f6"),
    "fixed": Style("fixed by the patch", "#3f9bd1", "////", "#e8f2fa"),
    "locked_in_both": Style("locked in both", "#7a1430", "xxxx", "#d8a0ad"),
    "broken_by_patch": Style("broken by the patch", "#000000", "++", "#ffd92f"),
}
NO_VERDICT = Style("failed or not known", "#ffffff", "----", "#8a8a8a", optional=True)
NO_VALUE = Style("no figure: failed, implied or not known", "#ffffff", "----", "#8a8a8a", optional=True)
NOT_RUN = Style("not run", "#ededed", "\\\\\\\\", "#b5b5b5")
UNCHECKED = Style("outside the range checked", "#ffffff", "|||", "#222222")
STEPS = ("#f7fbff", "#d6e5f4", "#abcfe6", "#6aaed6", "#3787c0", "#08458a")
"""Nothing, then five steps upwards."""

NOTHING, LESS = Style("none", STEPS[0]), Style("less than before", "#f5dcae", "////", "#b08a3c", optional=True)

BEFORE, AFTER = "#b35806", "#2b5c9e"
"""Of lines and bars."""


def is_light(colour: str) -> bool:
    """Whether black lines show on a colour better than white ones."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.4


def to_svg(name: str, draw: Callable[[], Figure]) -> str:
    """The figure that ``draw`` makes, as SVG: the same text for the same figure, without a date.

    It keeps no ids but those it refers to, and these come from ``name``, so that several may stand in one page; lengths
    are to a hundredth of a point.
    """
    drawn = io.BytesIO()
    with matplotlib.rc_context(SETTINGS | {"svg.hashsalt": name}), warnings.catch_warnings():
        # what its font lacks matplotlib cannot measure, but texts stay texts, and a reader's fonts may have it
        warnings.filterwarnings("ignore", "Glyph .* missing|Matplotlib currently does not support")
        draw().savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", drawn.getvalue().decode(), flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))

    def tag(found: re.Match[str]) -> str:
        named = re.sub(r' id="([^"]*)"', lambda name: name[0] if name[1] in used else "", found[0])
        return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", named)

    return re.sub(r"\s*\n\s*", "\n", re.sub(r"<[^>]*>", tag, svg))


def shown(text: str, most: int = MAX_TEXT) -> str:
    """A string of a user's as a picture may hold it: short, and without characters that XML does not allow."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= most else printable[: most - 1] + "…"
