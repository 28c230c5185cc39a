"""map.svg stands alone: it says what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from sweep.report.figures.overview import overview
from sweep.report.view import view_of
from tests.sweep.frames import boundary_frame, result_row
from tests.sweep.report.tables import results


def test_the_map_says_what_it_shows() -> None:
    drawn = overview(view_of(results(*boundary_frame().to_dicts())))
    text = "\n".join("".join(e.itertext()) for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("text"))
    for part in (
        "6 of 27 machine and load cells lock up with array and 3 of 27 with list",
        "108 scenarios",
        "the worst over in_flight",
        "before: array",
        "after: list",
        "memory list adds",
        "3 of 9 lock up: from 64 CPUs, from 10k/s",
        "never locks up",
        "unmaps/s per CPU",
        "CPUs of the machine",
        "16 pages",
        "soft lockup",
        "MiB",
    ):
        assert part in text
    assert drawn == overview(view_of(results(*boundary_frame().reverse().to_dicts())))


@pytest.mark.parametrize(
    ("row", "said"),
    [({}, "peak memory"), ({"memory_peak_bytes": None, "cell": "implied"}, "Nothing locks up with array")],
    ids=["one scenario", "one verdict and no figure"],
)
def test_little_can_be_drawn(row: dict[str, object], said: str) -> None:
    assert said in overview(view_of(results(result_row({}) | row)))
