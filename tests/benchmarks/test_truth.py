"""The error measure of the agreement benchmarks, and truth files that cannot be used."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.truth import TruthError, columns, distance, error, read_cases, residency_class, spread

COUNT = st.integers(1, 10**9).map(float)
SCENARIO = {"cpus": 4, "unmap_burst": 8, "burst_period_us": 500, "in_flight": 16}
FIGURES = [{"softirq_residency_max_ms": 1.0}]


@pytest.mark.parametrize(
    ("value", "seeds", "floor", "off"),
    [
        (11.0, [10.0, 12.0], 0.0, 0.0),
        (15.0, [12.0, 10.0], 0.0, 0.25),
        (5.0, [10.0, 12.0], 0.0, -0.5),
        (10.02, [10.0], 0.03, 0.0),
        (0.03, [0.01, 0.02], 0.02, 0.0),
        (0.06, [0.01, 0.02], 0.02, 2.0),
        (20.0, [0.0, 0.0], 8.0, 2.5),
        (0.0, [0.0, 0.0], 0.0, 0.0),
    ],
)
def test_error_by_hand(value, seeds, floor, off):
    assert error(value, seeds, floor) == pytest.approx(off, abs=1e-12)


@given(COUNT, COUNT, COUNT, st.floats(0.01, 100))
def test_error_has_the_sign_of_the_distance_and_no_unit(value, one, other, scale):
    found = error(value, [one, other])
    assert found == error(value, [other, one])
    assert found == pytest.approx(error(scale * value, [scale * one, scale * other]), rel=1e-6, abs=1e-9)
    assert (found > 0, found < 0) == (value > max(one, other), value < min(one, other))
    assert distance(value, [one, other]) == value - sorted((one, value, other))[1]


@pytest.mark.parametrize(
    ("residency_ms", "hz", "expected"),
    [(15.99, 250, 0), (16.0, 250, 1), (10.99, 1000, 0), (11.0, 1000, 1), (19.9, 100, 0), (999, 250, 1), (1e3, 250, 2)],
)
def test_class_of_a_stay(residency_ms, hz, expected):
    assert residency_class(residency_ms, hz) == expected


def test_cases_have_both_policies_and_every_default(tmp_path):
    path = tmp_path / "truth.jsonl"
    line = {"scenario": SCENARIO, "array": FIGURES, "list": FIGURES}
    path.write_text("\n".join(json.dumps(line | {"scenario": SCENARIO | {"cpus": 2 + i}}) for i in range(9)))
    cases = read_cases(path)
    table = columns(cases)
    assert table["policy"].tolist() == ["array", "list"] * 9
    assert table["depot_kind"].tolist() == ["array", "list"] * 9
    assert table["hz"].tolist() == [250] * 18
    assert [case.scenario["cpus"] for case in spread(cases, 3)] == [2, 2, 6, 6, 10, 10]
    assert spread(cases, 100) == spread(cases, None) == cases


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1: must be a JSON object"),
        (json.dumps({"scenario": SCENARIO, "lists": FIGURES}), "line 1: must be a JSON object"),
        (json.dumps({"scenario": SCENARIO, "array": FIGURES, "list": []}), "line 1: must be a JSON object"),
        (json.dumps({"scenario": SCENARIO | {"cpu": 1}, "array": FIGURES, "list": FIGURES}), "cpu: unknown column"),
        ("", "holds no scenario"),
    ],
)
def test_unusable_files_are_refused_in_one_sentence(tmp_path, line, told):
    path = tmp_path / "truth.jsonl"
    path.write_text(line)
    with pytest.raises(TruthError, match=told) as refused:
        read_cases(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TruthError, match="not a readable text file"):
        read_cases(tmp_path / "none.jsonl")
