"""The map: its cells are right, and it draws whatever a results table may hold."""

from __future__ import annotations

from itertools import pairwise, product
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from sweep.map import (
    MAX_TICKS,
    MEMORY_COLOURS,
    STYLE,
    cells,
    edges,
    headline,
    memory_colour,
    memory_steps,
    panels,
    si,
    svg,
)
from tests.sweep.frames import boundary_frame, lazy, result_row
from workers.schema import VERDICTS


def lightness(colour: str) -> float:
    """Relative luminance, as grey print shows it."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def draw(table: pl.LazyFrame) -> tuple[bytes, str]:
    """The SVG's bytes and its text elements, joined."""
    drawn = svg(panels(table))
    texts = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    return drawn, "\n".join("".join(text.itertext()) for text in texts)


def test_a_cell_is_the_worst_over_what_is_not_shown() -> None:
    table = lazy(
        result_row({"in_flight": 64}, verdict="ok", memory_peak_bytes=3 << 20),
        result_row({"in_flight": 65}, verdict="soft_lockup", memory_peak_bytes=1 << 20),
        result_row({"in_flight": 66}, verdict="chained", memory_peak_bytes=2 << 20),
    )
    cell = cells(table, ("array",)).filter(policy="array").row(0, named=True)
    assert (cell["verdict"], cell["mib"], cell["scenarios"]) == ("soft_lockup", 3.0, 3)


def test_memory_beside_a_pair_is_what_the_second_adds_to_the_same_scenario() -> None:
    table = lazy(
        result_row({"in_flight": 64, "policy": "array"}, memory_peak_bytes=10 << 20),
        result_row({"in_flight": 64, "policy": "list"}, memory_peak_bytes=12 << 20),
        result_row({"in_flight": 65, "policy": "array"}, memory_peak_bytes=1 << 20),
        result_row({"in_flight": 65, "policy": "list"}, memory_peak_bytes=6 << 20),
    )
    assert cells(table, ("array", "list")).filter(policy="")["mib"].to_list() == [5.0]


def test_cells_of_the_known_boundary() -> None:
    view = panels(boundary_frame().lazy())
    locked = view.cells.filter(verdict="soft_lockup")
    assert view.shown == ("array", "list")
    assert view.hidden == ("in_flight",)
    assert locked.group_by("policy", "size_row").len().sort("policy", "size_row").rows() == [
        ("array", "16 pages", 3),
        ("array", "64 pages", 3),
        ("list", "64 pages", 3),
    ]
    assert headline(view) == "6 of 27 cells lock up before (array), 3 of 27 after (list)"


def test_every_scenario_is_in_one_cell_also_where_points_are_irregular() -> None:
    rows = [result_row({"cpus": 8 + i, "burst_period_us": 100.0 + 7 * i}) for i in range(3 * MAX_TICKS)]
    table = cells(lazy(*rows), ("array",)).filter(policy="array")
    assert table["scenarios"].sum() == len(rows)
    assert table["cpus"].n_unique() <= MAX_TICKS
    assert table["rate"].n_unique() <= MAX_TICKS


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30, unique=True))
def test_edges_enclose_their_centres(values: list[float]) -> None:
    centres = sorted({round(v, 1) for v in values})
    borders = edges(centres)
    assert len(borders) == len(centres) + 1
    assert all(a < c < b for a, c, b in zip(borders, centres, borders[1:], strict=False))


def test_colours_can_be_told_apart_in_grey_and_get_darker_as_it_gets_worse() -> None:
    verdicts = [lightness(STYLE[name][0]) for name in VERDICTS]
    assert all(a - b > 0.2 for a, b in pairwise(verdicts))
    assert len({hatch for _, hatch in STYLE.values()}) == len(VERDICTS)
    memory = [lightness(colour) for colour in MEMORY_COLOURS]
    assert memory == sorted(memory, reverse=True)


@given(st.floats(1e-6, 1e6), st.lists(st.floats(-10, 1), min_size=2, max_size=9))
def test_more_memory_is_never_lighter(most: float, shares: list[float]) -> None:
    steps = memory_steps(most)
    colours = [MEMORY_COLOURS.index(memory_colour(most * share, steps)) for share in sorted(shares)]
    assert colours == sorted(colours)
    assert memory_colour(most, steps) == MEMORY_COLOURS[-1]
    assert memory_colour(0.0, memory_steps(0.0)) == memory_colour(-most, steps) == MEMORY_COLOURS[0]


def test_the_same_table_gives_the_same_bytes_in_any_row_order() -> None:
    table = boundary_frame()
    assert draw(table.lazy())[0] == draw(table.reverse().lazy())[0]


def test_the_map_says_what_it_shows() -> None:
    drawn, text = draw(boundary_frame().lazy())
    for part in (
        "6 of 27 cells lock up before (array), 3 of 27 after (list)",
        "before: array",
        "after: list",
        "memory list adds",
        "3 of 9 lock up: from 64 CPUs, from 10k/s",
        "never locks up",
        "unmaps/s per active CPU",
        "CPUs of the machine",
        "16 pages",
        "soft lockup",
        "not run",
        "MiB",
        "the worst over in_flight",
    ):
        assert part in text
    assert b"<image" not in drawn


def sweep_of(policies: tuple[str, ...], pages: tuple[str, ...], cpus: tuple[int, ...]) -> pl.LazyFrame:
    return lazy(
        *(
            result_row({"policy": p, "iova_pages": s, "cpus": c}, verdict=v)
            for (p, s, c), v in zip(product(policies, pages, cpus), VERDICTS * 999, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (lazy(result_row({})), "array: 0 of 1 machine and workload cells lock up"),
        (sweep_of(("list_127",), ("1",), (8, 16, 32)), "peak memory"),
        (sweep_of(("array_cpus", "list"), ("1,8,32", "33:0.25,1:0.75"), (5, 4096)), "mix 33:0.25,1:0.75"),
        (sweep_of(("array", "list", "list_127"), ("1",), (8,)), "after: list"),
        (sweep_of(("array", "list"), tuple(str(n) for n in range(1, 50)), (8, 64)), "over 32 pages"),
        (lazy(result_row({"policy": "array"}), result_row({"policy": "list", "cpus": 16})), "not run"),
    ],
    ids=["one scenario", "one policy", "mixed sizes", "three policies", "many sizes", "no pair"],
)
def test_any_results_table_can_be_drawn(table: pl.LazyFrame, said: str) -> None:
    assert said in draw(table)[1]


def test_numbers_as_people_say_them() -> None:
    assert [si(v) for v in (950, 1000, 2510, 1e6, 0.5)] == ["950", "1k", "2.51k", "1M", "0.5"]
