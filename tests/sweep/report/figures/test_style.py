"""Colours that colour blindness and grey print leave apart, and SVG that is safe and the same every time."""

from __future__ import annotations

import warnings
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sweep.report.figures.style import (
    AFTER,
    BEFORE,
    CLASS_STYLES,
    NO_VERDICT,
    NOT_RUN,
    STEPS,
    UNCHECKED,
    VERDICT_STYLES,
    shown,
    to_svg,
)
from workers.schema import VERDICTS

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB."""

GREY = np.array([[0.2126, 0.7152, 0.0722]] * 3)


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(a: str, b: str, seen_as: np.ndarray) -> float:
    """The distance of two colours as somebody sees them, in CIE76 units: 2.3 is just noticeable."""
    return float(np.linalg.norm(lab(seen_as @ linear(a)) - lab(seen_as @ linear(b))))


SETS = {
    "verdicts": [style.colour for style in VERDICT_STYLES.values()],
    "classes": [style.colour for style in CLASS_STYLES.values()],
    "lines": [BEFORE, AFTER],
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seen_as", [np.eye(3), DEUTERANOPIA], ids=["full", "deuteranopia"])
def test_classes_are_far_apart_in_colour(name: str, seen_as: np.ndarray) -> None:
    assert min(apart(a, b, seen_as) for a, b in combinations(SETS[name], 2)) > 15


@pytest.mark.parametrize("name", ["verdicts", "classes"])
def test_classes_are_apart_in_grey(name: str) -> None:
    assert min(apart(a, b, GREY) for a, b in combinations(SETS[name], 2)) > 15


def test_worse_is_darker() -> None:
    assert list(VERDICT_STYLES) == list(VERDICTS)
    for styles in (VERDICT_STYLES, CLASS_STYLES):
        lightness = [lab(linear(style.colour))[0] for style in styles.values()]
        assert lightness == sorted(lightness, reverse=True)


def test_steps_of_a_quantity_get_darker_by_a_visible_step() -> None:
    for seen_as in (np.eye(3), DEUTERANOPIA, GREY):
        assert all(apart(a, b, seen_as) > 5 for a, b in pairwise(STEPS))
    lightness = [lab(linear(colour))[0] for colour in STEPS]
    assert lightness == sorted(lightness, reverse=True)


def test_each_class_has_a_hatch_of_its_own() -> None:
    for styles in (VERDICT_STYLES, CLASS_STYLES):
        hatches = [style.hatch for style in (*styles.values(), NOT_RUN, NO_VERDICT, UNCHECKED)]
        assert len(set(hatches)) == len(hatches)


def draw(text: str, hatch: str = "//") -> Figure:
    figure = Figure(figsize=(2, 2))
    axis = figure.subplots()
    axis.bar([1], [1], hatch=hatch)
    axis.set_title(text)
    return figure


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "text", ["$\\frac{1}{2}$", "<script>alert(1)</script>", "a & b", '"><a onload="x">', "1.234567"]
)
def test_strings_are_text_whatever_they_hold(text: str) -> None:
    assert shown(text) in texts(to_svg("f", lambda: draw(shown(text))))


@pytest.mark.parametrize("text", ["東京", "हिन्दी", "القاهرة"])
def test_what_its_font_lacks_is_nobody_s_trouble(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert text in texts(to_svg("f", lambda: draw(text)))


def test_a_string_is_short_and_printable() -> None:
    assert shown("a\x00b\x1b[31m\u202e") == "a\ufffdb\ufffd[31m\ufffd"
    assert shown("x" * 100) == "x" * 39 + "…"
    ElementTree.fromstring(to_svg("f", lambda: draw(shown("\x01\x02"))))


def test_the_same_figure_is_the_same_text_and_shares_no_id_with_another() -> None:
    one, again, other = (to_svg(name, lambda: draw("x")) for name in ("one", "one", "other"))
    assert one == again
    assert "date" not in one.lower()
    assert not ids(one) & ids(other)


def ids(svg: str) -> set[str]:
    """Ids that are in use: an SVG has no others."""
    found = {e.attrib["id"] for e in ElementTree.fromstring(svg).iter() if "id" in e.attrib}
    assert found
    assert all(f"#{name}" in svg for name in found)
    return found
