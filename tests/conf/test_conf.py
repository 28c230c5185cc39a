"""The data in conf: known columns, possible values, a source for each figure, grids that keep their promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sweep.compose import compose
from sweep.config import given
from sweep.plan.grid import expand
from workers.schema import COST_COLUMNS, SCENARIO_COLUMNS, Columns, check_value, column, parse_iova_pages

CONF = Path(__file__).parents[2] / "conf"
COSTS = {c.name for c in COST_COLUMNS}
LOADS = {c.name for c in SCENARIO_COLUMNS} - COSTS - {"id", "policy"}
DEPOTS = {path.stem for path in (CONF / "depot").glob("*.yaml")}
KINDS_OF_SOURCE = ("measured", "reported", "bounded", "inferred", "assumed", "arithmetic", "as typical")


def files(group: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((CONF / group).glob("*.yaml"))]


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def scenarios(grid: str) -> Columns:
    composed = compose([f"+grid={grid}"])
    assert composed is not None
    config = composed.config
    plan = expand(config.grid, given(config.host), given(config.workload), composed.library)
    return plan.rows(np.arange(len(plan)))


def check_table(table: dict[str, Any], known: set[str]) -> None:
    sources = table.pop("sources")
    assert set(table) <= known
    assert set(sources) == set(table)
    assert all(len(text) > 8 for text in sources.values())
    for name, value in table.items():
        assert check_value(column(name), value) == value


@pytest.mark.parametrize("path", files("host"))
def test_a_host_gives_every_cost_and_its_source(path: Path) -> None:
    table = load(path)
    assert all(text.startswith(KINDS_OF_SOURCE) for text in table["sources"].values())
    check_table(table, COSTS)
    assert set(table) == COSTS


@pytest.mark.parametrize("path", files("workload"))
def test_a_workload_gives_a_load_and_its_sources(path: Path) -> None:
    table = load(path)
    check_table(table, LOADS)
    assert {"iova_pages", "unmap_burst", "burst_period_us", "in_flight"} <= set(table)
    assert table["unmap_burst"] <= table["in_flight"]


@pytest.mark.parametrize("cost", sorted(COSTS))
def test_low_typical_and_high_are_in_that_order(cost: str) -> None:
    low, typical, high = (load(CONF / "host" / f"{name}.yaml")[cost] for name in ("low", "typical", "high"))
    assert low <= typical <= high
    assert low < high


@pytest.mark.parametrize("path", files("grid"))
def test_a_grid_expands_to_possible_scenarios(path: Path) -> None:
    columns = scenarios(path.stem)
    assert load(path)["name"] == path.stem
    assert (columns["unmap_burst"] <= columns["in_flight"]).all()
    assert (columns["active_cpus"] <= columns["cpus"]).all()
    assert set(columns["policy"]) <= DEPOTS


@pytest.mark.parametrize(
    ("grid", "least", "most"), [("smoke", 10, 20), ("small", 300, 1500), ("ci", 200, 500), ("large", 100_000, 200_000)]
)
def test_grids_have_the_size_they_are_for(grid: str, least: int, most: int) -> None:
    assert least <= len(scenarios(grid)["cpus"]) <= most


def test_large_covers_what_it_promises() -> None:
    columns = scenarios("large")
    rate = 1e6 * columns["unmap_burst"] / columns["burst_period_us"]
    sizes = [size for text in set(columns["iova_pages"]) for size in parse_iova_pages(text)[0]]
    assert (columns["cpus"].min(), columns["cpus"].max()) == (8, 512)
    assert (min(sizes), max(sizes)) == (1, 1024)
    assert np.allclose((rate.min(), rate.max()), (1e3, 1e6))
    assert set(columns["policy"]) == DEPOTS


@pytest.mark.parametrize("grid", ["smoke", "small", "ci", "large", "incidents"])
def test_every_scenario_runs_under_every_policy_of_its_grid(grid: str) -> None:
    columns = scenarios(grid)
    _, counts = np.unique(columns["policy"].astype(str), return_counts=True)
    assert len(set(counts)) == 1
    assert {"array", "list"} <= set(columns["policy"])


def test_incidents_say_what_was_reported_and_what_was_assumed() -> None:
    points = load(CONF / "grid" / "incidents.yaml")["points"]
    assert len({point["name"] for point in points}) == len(points) >= 10
    for point in points:
        assert len(point["reported"]) > 80
        assert len(point["assumed"]) > 80
        assert "@" in point["reported"] or "docs/sources.md" in point["reported"]


def test_sources_name_every_incident() -> None:
    """An entry ending in * stands for all points that begin so."""
    text = (CONF.parent / "docs" / "sources.md").read_text()
    entries = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    for point in load(CONF / "grid" / "incidents.yaml")["points"]:
        assert any(point["name"] == e or (e.endswith("*") and point["name"].startswith(e[:-1])) for e in entries)
