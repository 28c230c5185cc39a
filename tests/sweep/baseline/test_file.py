"""A baseline as text: round trip, a line a line, damage said in one sentence."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sweep.baseline.file import TOLERANCE, Baseline, parse, path_of, read, text
from tests.sweep.baseline.tables import baseline, cell
from workers.schema import ScenarioError

ROOT = Path(__file__).parents[3]


def example() -> Baseline:
    failed = cell(30_000, cpus=64, status="failed", error="no")
    rows = [cell(3000), cell(10_000, 1200), cell(3000, cpus=64, depot_reclaim_s=math.inf), failed, cell(9, 2e4, cpus=8)]
    return baseline(*rows, costs={"map_ns": 250.0}, policies={"list": {"depot_kind": "list"}})


def test_what_is_written_is_read() -> None:
    assert parse(text(example())) == example()


def test_a_line_of_text_for_each_line() -> None:
    rows = text(example()).splitlines()
    assert json.loads("\n".join(rows))["grid"] == "ci"
    (first,) = (row for row in rows if row.startswith('{"cpus": 128'))
    assert first == (
        '{"cpus": 128, "active_cpus": 128, "rates_per_s": [3000, 10000], "verdicts": ["ok", "soft_lockup"],'
        ' "chains_from_per_s": 4804, "locks_from_per_s": 5477, "safe_stay_ms": 1, "tree_frees": 640,'
        ' "memory_peak_mib": 8, "memory_end_mib": 7, "reclaim_s": 2}'
    )
    assert '"reclaim_s": "inf"' in text(example())
    assert '"same": {"policy": "list", "iova_pages": "16"' in text(example())


def test_a_hostile_name_stays_one_line_of_text() -> None:
    name = 'a"\n{},\\'
    made = baseline(cell(3000, policy=name), cell(3000, policy="b"), grid=name)
    assert len(text(made).splitlines()) == len(text(baseline(cell(3000), cell(3000, policy="b"))).splitlines())
    assert parse(text(made)) == made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ('"grid"', '"gird"'),
        ('"boundary": 0.03', '"boundary": -1'),
        ('"boundary": 0.03', '"boundary": "much"'),
        ('"ok"', '"fine"'),
        ("[3000, 10000]", "[3000]"),
        ('"safe_stay_ms": 1', '"safe_stay_ms": "x"'),
        ("4804", '"about 4479"'),
        ("4804", "0"),
        ("4804", "-1"),
        ("4804", "Infinity"),
        ('"safe_stay_ms": 1', '"safe_stay_ms": NaN'),
        ('"safe_stay_ms": 1', '"safe_stay_ms": "nan"'),
        ('"hz": 250, ', ""),
        ('"hz": 250, ', '"hz": [250], '),
        ('"hz": 250, ', '"hz": "250", '),
        ('"hz": 250, ', '"hz": 250, "hurts": 250, '),
        ('"lines": [', '"lines": [], "more": ['),
    ],
)
def test_damage_is_one_sentence(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "ci.json"
    said = text(example())
    assert old in said
    path.write_text(said.replace(old, new, 1))
    with pytest.raises(ScenarioError, match=r"ci\.json is none that baseline=update writes \(.+\)$"):
        read(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"tolerance": {', '"tolerances": {', r"\(tolerance is missing in it, or in one of its lines\)"),
        ('"boundary": 0.03', '"boundary": 5', r"\(tolerance.boundary: 5 was given; allowed is a share from 0 to 1\)"),
        ('"stay": 0.05', '"stay": 1.01', r"\(tolerance.stay: 1.01 was given; allowed is a share from 0 to 1\)"),
        ('"stay": 0.05', '"stay": "0.1"', r"\(tolerance.stay: '0.1' was given; allowed is a share from 0 to 1\)"),
        ('"stay": 0.05', '"stay": 0.05, "tay": 0.1', r"\(tolerance.tay: unknown key; known are boundary, stay,"),
        ('"grid": ', '"gird": 1, "grid": ', r"\(gird: unknown key; known are grid, model_version, tolerance, costs,"),
        ('"lines": [', '"lines": [3, ', r"\(a value in it is of another kind than baseline=update writes\)"),
        ('"hz": 250, ', '"hz": 250, "hurts": 250, ', r"\(hurts is no column of a scenario\)"),
        ('"lines": [', '"lines": [,', r"\(it is no JSON from line \d+ on\)"),
    ],
)
def test_damage_in_words(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in text(example())
    (tmp_path / "ci.json").write_text(text(example()).replace(old, new, 1))
    with pytest.raises(ScenarioError, match=told):
        read(tmp_path / "ci.json")


def test_nothing_but_brackets(tmp_path: Path) -> None:
    (tmp_path / "ci.json").write_text("[" * 100_000)
    with pytest.raises(ScenarioError, match=r"is none that baseline=update writes \(it is nested too deeply\)"):
        read(tmp_path / "ci.json")


def test_bytes_that_are_no_text_and_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "ci.json"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="is none that"):
        read(path)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "no.json")


def test_the_committed_baseline_is_that_of_the_grid_ci() -> None:
    from sweep.compose import compose
    from sweep.run import plan_of

    composed = compose(["+grid=ci"])
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    kept = read(path_of(str(ROOT / "results" / "baselines"), "ci"))
    assert kept.grid == "ci"
    assert kept.tolerance.keys() == TOLERANCE.keys()
    assert sum(len(line.rates_per_s) for line in kept.lines) == len(plan)
    for column in ("policy", "cpus", "iova_pages", "in_flight", "horizon_s", "seed"):
        assert {line.load[column] for line in kept.lines} == set(plan.distinct(column))
