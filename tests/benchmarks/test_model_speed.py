"""The benchmark of the model's speed: what it counts, runs beside the model and refuses; never how long it takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import model_speed
from benchmarks.hot_lines import hottest, sampled
from benchmarks.model_speed import compared, load, main
from benchmarks.rivals import PROGRAMS, machine_seconds, median_scenario
from benchmarks.timed import filled, model
from benchmarks.truth import Case, TruthError, chains, columns
from workers.tables import complete_row

SCENARIO = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 200, "in_flight": 32, "horizon_s": 0.01}
CALM, STUCK = {"softirq_residency_max_ms": 1.0, "ops_completed": 5}, {"softirq_residency_max_ms": 40.0}


@pytest.fixture
def truth(tmp_path: Path) -> str:
    rows = [{"scenario": SCENARIO | {"cpus": 4 + i}, "array": [CALM], "list": [CALM]} for i in range(3)]
    path = tmp_path / "truth.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Stands in for the reference machine: notes what it is given."""
    for policy, name in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/{policy}\necho \'{{"ops": 5}}\'\n')
        program.chmod(0o755)
    return tmp_path


def case(policy="array", seeds=(CALM,), **more):
    return Case(complete_row(SCENARIO | more | {"policy": policy}), policy, list(seeds))


def test_the_parts_are_printed_beside_what_is_asked(truth, machine, capsys):
    parts = ["truth", "grid", "twin"]
    few = ["--rows", "2", "--points", "2", "--pairs", "1", "--lanes", "4", "--horizon", "0.004"]
    main([truth, "--parts", *parts, *few, "--machine", str(machine)])
    out = capsys.readouterr().out
    assert "truth.jsonl: 4 rows, 0.0 scenario-seconds, 100 % simulated" in out
    assert "grid=large: 2 rows" in out
    for name, asked in (
        ("grid=large", "1,500"),
        ("reference machine / model", "100"),
        ("scalar twin / model", "3,000"),
    ):
        assert any(line.startswith(name) and f", asked {asked}" in line for line in out.splitlines()), name


def test_cpus_lanes_and_memory(truth, capsys, monkeypatch):
    for name, value in {
        "CPUS": (2, 4), "LANES_A_MACHINE": 2, "CPUS_HORIZON_S": 0.004, "LANES": (3, 5), "LANES_HORIZON_S": 0.004
    }.items():  # fmt: skip
        monkeypatch.setattr(model_speed, name, value)
    main([truth, "--parts", "cpus", "lanes", "memory", "--points", "2", "--horizon", "0.004"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines if line and line[0].isdigit()] == ["2", "4", "3", "5"]
    assert any(line[:6] == ["memory", "of", "a", "batch", "of", "2"] for line in lines)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--rows", "0"], "--rows: 0 was given; allowed are whole numbers from 1"),
        (["--horizon", "0"], "horizon_s: 0.0 was given"),
        (["--parts", "machine"], "--machine: missing"),
        (["--parts", "grid", "--grid", "none"], "none"),
        (["--parts", "grid", "--points", "99999999"], "--points: 99999999 was given; grid large has"),
        (["--stress"], "holds no row that chains"),
        (["--machine", "/nowhere"], "--machine: /nowhere was given; it holds no vsim-5.15"),
    ],
)
def test_refusals(truth, given, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([truth, *given])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_missed_target_says_so():
    assert compared("x", 2.0, 1.0, "times").split() == ["x", "2.00", "times,", "asked", "1"]
    assert compared("x", 2.0, 3.0, "times").endswith("asked 3  missed")
    assert "asked" not in compared("x", 2.0, None, "times")


def test_rows_that_no_depot_tells_apart_run_once_and_count_twice():
    table = columns([case(policy, iova_pages="64") for policy in ("array", "list")])
    took = model(table)
    assert (took.rows, took.runs, took.simulated) == (2, 1, 1.0)
    assert took.virtual_s == pytest.approx(0.02)


def test_a_steady_scenario_is_simulated_in_part():
    took = model(load(cpus=2, horizon_s=5.0, lanes=1))
    assert took.virtual_s == 5.0
    assert 0.05 < took.simulated < 0.9


def test_a_batch_is_filled_with_other_seeds():
    table = filled(columns([case(seed=5), case(seed=8, cpus=6)]), 7)
    assert table["seed"].tolist() == [5, 6, 7, 8, 9, 10]
    assert table["cpus"].tolist() == [4, 4, 4, 6, 6, 6]
    assert len(filled(columns([case(), case()]), 1)["seed"]) == 2


def test_chained_are_rows_in_which_no_seed_is_calm():
    assert [chains(case(seeds=seeds)) for seeds in ((STUCK, STUCK), (STUCK, CALM), (CALM,))] == [True, False, False]


def test_the_median_scenario_comes_with_its_policies():
    some = [case(policy, cpus=cpus) for cpus in (64, 4, 8) for policy in PROGRAMS]
    assert [(c.scenario["cpus"], c.policy) for c in median_scenario(some)] == [(8, "array"), (8, "list")]


def test_what_the_machine_is_given(machine, capsys):
    machine_seconds(machine, case("list", cpus=8, active_cpus=3, iova_pages="8,64", phase="aligned", seed=9))
    given = dict(item.split("=") for item in (machine / "list").read_text().split())
    assert given | {
        "ncpu": "8", "active": "3", "sizes": "8,64", "phase": "0", "sac": "1", "ms": "10.0", "seed": "9", "wset": "32"
    } == given  # fmt: skip
    assert not (machine / "array").exists()
    assert not capsys.readouterr().err
    machine_seconds(machine, case(seeds=[CALM | {"ops_completed": 6}]))
    assert "5 operations, not as in the truth file" in capsys.readouterr().err
    (machine / PROGRAMS["array"]).write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(TruthError, match="does not run"):
        machine_seconds(machine, case())


def test_the_hottest_lines_are_the_model_s():
    table = filled(columns([case(horizon_s=0.05)]), 2)
    with sampled() as found:
        while found.total() < 8:
            model(table)
    lines = hottest(found, 3)
    shares = [float(line.split()[0]) for line in lines]
    assert shares == sorted(shares, reverse=True)
    assert 0 < np.sum(shares) <= 100.5
    assert all(".py:" in line.split()[2] and len(line.split()) > 3 for line in lines)
