"""The benchmark of the scalar twin against the reference machine: which scenarios it takes, and a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.truth import Case, read_cases
from benchmarks.twin_agreement import main, pick, run_twin
from workers.tables import complete_row

DATA = Path(__file__).parents[1] / "data"
SCENARIO = {"cpus": 2, "unmap_burst": 16, "burst_period_us": 2_000, "in_flight": 32, "horizon_s": 0.02}


@pytest.mark.parametrize(("name", "policies"), [("policy_rows.jsonl", 1), ("truth_rows.jsonl", 2)])
def test_a_scenario_has_as_many_cases_as_the_file_has_policies_of_it(name, policies):
    cases = read_cases(DATA / name)
    groups = pick(cases, 10_000, None)
    assert {len(group) for group in groups} == {policies}
    assert sum(len(group) for group in groups) == len(cases)


def test_the_scenarios_with_the_fewest_operations_are_taken():
    cases = read_cases(DATA / "policy_rows.jsonl")
    taken = [group[0] for group in pick(cases, 128, 3)]
    operations = sorted(case.seeds[0]["ops_completed"] for case in cases if case.scenario["cpus"] <= 128)
    assert [case.seeds[0]["ops_completed"] for case in taken] == operations[:3]


def test_scenarios_under_three_policies_and_under_one(tmp_path, capsys):
    lines = []
    for seed, policies in ((1, ("array", "list", "array_127")), (2, ("list",))):
        cases = [Case(complete_row(SCENARIO | {"seed": seed, "policy": policy}), policy, []) for policy in policies]
        figures = [run_twin(case)[0] for case in cases]
        lines.append({"scenario": SCENARIO | {"seed": seed}} | {p: [f] for p, f in zip(policies, figures, strict=True)})
    path = tmp_path / "truth.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    main([str(path), "--jobs", "1"])
    text = capsys.readouterr().out
    assert text.startswith("2 scenarios, 4 rows, ")
    assert "rows equal to the same seed in every column: 4 of 4" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.jsonl"], "none.jsonl: not a readable text file"),
        ([str(DATA / "policy_rows.jsonl"), "--rows", "0"], "--rows: 0 was given; allowed are whole numbers from 1"),
        ([str(DATA / "policy_rows.jsonl"), "--cpus", "1"], "--cpus: 1 was given;"),
    ],
)
def test_refused_in_one_sentence(capsys, arguments, told):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("\n") == 1
