"""Sizes are drawn as the reference machine draws them, however many are taken at a time."""

from __future__ import annotations

import pytest

from tests.workers.scenarios import table
from workers.events.draws import EACH, STREAMS, Draws
from workers.mixes import rounded_pages, size_classes
from workers.reference.machine import Machine


@pytest.mark.parametrize(
    ("iova_pages", "seed"),
    [
        ("1,32", 0),
        ("1:0.7,32:0.2,64:0.1", 2**63 - 1),
        ("4,1,3", 7),  # two of them are one class
        ("8:0.9999,1:0.0001", 5),
        ("1,2,4,8,16,32,33,64", 1),
    ],
)
def test_sizes_are_the_twins(iova_pages, seed):
    row = {"cpus": 1, "unmap_burst": 1, "burst_period_us": 1e6, "in_flight": 1, "iova_pages": iova_pages, "seed": seed}
    columns = table([row])
    scenario = {name: values.tolist()[0] for name, values in columns.items()}
    twin, draws = Machine(scenario, scenario), Draws(scenario)
    classes = [pages for pages, _ in size_classes(scenario["iova_pages"])]
    for number in (1, 0, 7, STREAMS * EACH - 3, 2 * STREAMS * EACH, 100):
        taken = [classes[size_class] for size_class in reversed(draws.take(number))]
        assert taken == [rounded_pages(twin._draw_pages()) for _ in range(number)]


@pytest.mark.parametrize("iova_pages", ["16", "3,4"])
def test_where_all_are_of_one_class_nothing_is_drawn(iova_pages):
    draws = Draws({"iova_pages": iova_pages, "seed": 3})
    assert draws.take(5) == bytearray(5)
    assert not draws.ahead
