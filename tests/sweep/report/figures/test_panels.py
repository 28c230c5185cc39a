"""Small multiples: cells where they belong, the boundary between them, few paths."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweep.report.figures.panels import ABSENT, Column, Lattice, Panel, boundary, boxes, edges, small_multiples
from sweep.report.figures.scales import scale_of
from sweep.report.figures.style import NO_VALUE, NOTHING, VERDICT_STYLES, to_svg

masks = arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6)))


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30, unique=True))
def test_edges_enclose_their_centres(values: list[float]) -> None:
    centres = sorted({round(v, 1) for v in values})
    borders = edges(centres)
    assert len(borders) == len(centres) + 1
    assert all(a < c < b for a, c, b in zip(borders, centres, borders[1:], strict=False))


@given(masks)
def test_boxes_cover_a_mask_and_nothing_else(mask: np.ndarray) -> None:
    x, y = [float(i) for i in range(mask.shape[1] + 1)], [float(i) for i in range(mask.shape[0] + 1)]
    painted = np.zeros(mask.shape, int)
    for left, low, right, high in boxes(mask, x, y):
        painted[int(low) : int(high), int(left) : int(right)] += 1
    assert (painted == mask).all()


@given(masks)
def test_the_boundary_lies_between_safe_and_unsafe(unsafe: np.ndarray) -> None:
    x, y = [float(i) for i in range(unsafe.shape[1] + 1)], [float(i) for i in range(unsafe.shape[0] + 1)]
    lines = boundary(unsafe, ~unsafe, x, y)
    changes = (unsafe[:, 1:] != unsafe[:, :-1]).sum() + (unsafe[1:] != unsafe[:-1]).sum()
    assert len(lines) == len({tuple(line) for line in lines}) == changes
    for (x0, y0), (x1, y1) in lines:
        at = (int(y0), int(x0) - 1) if x0 == x1 else (int(y0) - 1, int(x0))
        beside = (int(y0), int(x1)) if x0 == x1 else (int(y1), int(x0))
        assert unsafe[at] != unsafe[beside]
    nothing_known = np.zeros_like(unsafe)
    assert boundary(unsafe, nothing_known, x, y) == []


def figure_of(cpus: int, rates: int, rows: int) -> str:
    lattice = Lattice(tuple(8.0 * 1.2**i for i in range(cpus)), tuple(1e3 * 1.5**i for i in range(rates)))
    codes = np.random.default_rng(0).integers(ABSENT, 3, (rates, cpus))
    column = Column("policy", tuple(VERDICT_STYLES.values()), (Panel("x", codes, codes > 1, (2, (0, 1))),) * rows)
    return to_svg("f", lambda: small_multiples(lattice, ["size"] * rows, [column]))


def test_a_path_a_class_however_many_cells() -> None:
    small, large = figure_of(3, 3, 1), figure_of(24, 24, 1)
    assert large.count("<path") - small.count("<path") <= 24 + 24  # more ticks
    assert len(large) < 90_000


def test_steps_reach_from_the_least_to_the_most() -> None:
    scale = scale_of(pl.Series([0.0, 3.0, 5.0, 40.0]), "MiB")
    assert scale.tops == (4.0, 8.0, 16.0, 32.0, 64.0)
    assert scale_of(pl.Series([0.001, 40.0]), "MiB").tops == (0.25, 1.0, 4.0, 16.0, 64.0)
    assert scale_of(pl.Series([0.0]), "MiB").tops == ()
    codes = scale.codes(np.array([np.nan, -1.0, 0.0, 0.5, 4.0, 4.1, 64.0]))
    assert [scale.styles[code].label for code in codes] == [
        NO_VALUE.label, "less than before", NOTHING.label, "to 4 MiB", "to 4 MiB", "to 8 MiB", "to 64 MiB",
    ]  # fmt: skip
    assert scale_of(pl.Series([1.0, float("inf")]), "s").styles[-1].label == "for ever"


@given(st.lists(st.floats(-10, 1e6), min_size=1, max_size=9))
def test_more_is_never_lighter(values: list[float]) -> None:
    scale = scale_of(pl.Series(values), "MiB")
    codes = scale.codes(np.array(sorted(values))).tolist()
    assert codes == sorted(codes)
    assert max(codes) < len(scale.styles)
    if max(values) > 0:
        assert codes[-1] == len(scale.styles) - 1
