"""Virtual time: equal to the reference machine to the last count; and what that machine does not cover."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.workers.reference import recorded
from workers.reference.machine import Machine
from workers.reference.policies import depot_columns
from workers.reference.run import simulate_columns
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, ScenarioError
from workers.tables import complete_columns, complete_row

TRUTH = recorded.truth()
BUSY = {"cpus": 8, "unmap_burst": 64, "burst_period_us": 1500.0, "in_flight": 192, "horizon_s": 0.2}


def machine(**scenario):
    columns = complete_columns({name: [value] for name, value in scenario.items()})
    depot = {name: values.tolist()[0] for name, values in depot_columns(columns).items()}
    return Machine(complete_row(scenario), depot)


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row['scenario']['id']}-{row['policy']}")
def test_counts_equal_the_reference_machine(row):
    counted = machine(**row["scenario"], policy=row["policy"]).run()
    assert recorded.differences(counted, row["expected"]) == {}


def test_the_truth_reaches_what_matters():
    rows = [row["expected"] for row in TRUTH]
    assert any(row["softirq_residency_max_ms"] > 100 for row in rows)  # a chain
    assert any(row["rbtree_erases"] > 1000 for row in rows)
    assert any(row["depot_magazines_peak"] == 32 for row in rows)  # the array overflows
    assert any(row["depot_magazines_peak"] > 32 for row in rows)
    assert any(row["iovas_drained_locally"] > row["iovas_drained_by_timer"] for row in rows)  # full rings
    assert {row["scenario"]["hz"] for row in TRUTH} >= {100, 250, 300, 1000}
    assert any(row["scenario"]["free_cpu_shift"] for row in TRUTH)


def test_a_run_repeats_itself():
    assert machine(**BUSY, iova_pages="1,8").run() == machine(**BUSY, iova_pages="1,8").run()


@pytest.mark.parametrize("hz", [48, 333, 750, 864])
def test_a_timer_is_due_at_its_tick_where_ticks_are_no_whole_ns(hz):
    """The tick as a product may be less than that number of ticks when divided again: the CPU would never go on."""
    counted = machine(**BUSY | {"horizon_s": 0.5}, hz=hz).run()
    assert counted["callback_count"] >= 0.5 / (np.ceil(hz / 100) + 1) * hz - 3


def test_strict_flushes_each_unmap_and_arms_no_timer():
    counted = machine(**BUSY, strict=True).run()
    assert counted["callback_count"] == counted["iovas_drained_by_timer"] == counted["iovas_drained_locally"] == 0
    assert 0 <= counted["iotlb_flushes"] - counted["ops_completed"] / 2 <= BUSY["unmap_burst"] * BUSY["cpus"]
    assert counted["iova_nodes_peak"] < 8 * 192 + 8 * 64  # freed IOVAs come back at once


def test_weights_are_shares_of_the_draws():
    run = machine(**BUSY, iova_pages="1:0.7,32:0.3")
    draws = np.array([run._draw_pages() for _ in range(20_000)])
    assert set(draws) == {1, 32}
    assert (draws == 32).mean() == pytest.approx(0.3, abs=0.015)


def test_the_callback_log_is_what_the_means_are_of():
    run = machine(**BUSY, iova_pages="32")
    counted = run.run()
    starts, durations = np.array(run.callbacks).T
    assert len(starts) == counted["callback_count"] > 5
    assert durations.mean() / 1e6 == pytest.approx(counted["callback_mean_ms"])
    assert (np.diff(starts) >= durations[:-1]).all()


@pytest.mark.parametrize("policy", ["array_127", "list_127", "list_untrimmed", "array_128mags", "array_cpus"])
def test_other_policies_keep_within_their_depots(policy):
    crowded = {"cpus": 40, "unmap_burst": 250, "burst_period_us": 9000.0, "in_flight": 500, "horizon_s": 0.15}
    run = machine(**crowded, policy=policy)
    counted = run.run()
    most = {"array_127": 32, "array_128mags": 128, "array_cpus": 40}.get(policy)
    fullest = max(rcache.peak for rcache in run.domain.rcaches)
    assert fullest == most if policy in ("array_127", "array_cpus") else fullest > 40
    assert counted["rbtree_erases"] == 0 or policy in ("array_127", "array_cpus", "list_127")
    assert run.domain.work_runs == 0 or policy == "list_127"
    assert run.domain.mag_pfns == (127 if policy.endswith("_127") else 128)


def test_only_the_memory_grows_with_domains():
    one, two = (run_table(**BUSY, domains=n) for n in (1, 2))
    for name in (c.name for c in RESULT_COLUMNS):
        assert two[name][0] == one[name][0] * (2 if name.endswith("_bytes") else 1)


def run_table(**scenario):
    columns = complete_columns({name: [value] for name, value in scenario.items()})
    return simulate_columns(columns | depot_columns(columns))


def test_an_unknown_policy_is_refused_by_name():
    with pytest.raises(ScenarioError, match="policy: 'vector' was given; allowed are array, "):
        depot_columns(complete_columns({name: [value] for name, value in (BUSY | {"policy": "vector"}).items()}))


def run_command(*options):
    command = [sys.executable, "-m", "workers.reference", "run", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])


def write_points(path, *rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, BUSY | rows[0])
        writer.writeheader()
        writer.writerows(BUSY | row for row in rows)
    return path


def test_command_line_writes_scenarios_then_results(tmp_path):
    points = write_points(tmp_path / "points.csv", {"id": "007", "policy": "array"}, {"id": "b", "policy": "list"})
    done = run_command(f"points={points}", f"output={tmp_path / 'out' / 'deep'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 rows: {tmp_path / 'out' / 'deep' / 'results.parquet'}\n"
    table = pl.read_parquet(tmp_path / "out" / "deep" / "results.parquet")
    assert table.columns == [c.name for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)]
    assert table["id"].to_list() == ["007", "b"]
    assert [p.name for p in (tmp_path / "out" / "deep").iterdir()] == ["results.parquet"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["points=none.csv", "output=out"], "points: none.csv was given; there is no such file"),
        (["output=out"], "points: missing"),
        (["points=p.csv"], "output: missing"),
        (["points=p.csv", "output=out", "speed=1"], "speed: unknown option"),
        (["points"], "points: not of the form"),
    ],
)
def test_command_line_refuses_in_one_sentence(options, says, tmp_path):
    done = run_command(*[option.replace("=out", f"={tmp_path / 'out'}") for option in options])
    assert done.returncode == 2
    assert done.stderr.startswith(f"workers.reference: {says}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_only_its_own_earlier_result_is_replaced(tmp_path):
    mine = write_points(tmp_path / "mine.csv", {"id": "a", "horizon_s": 0.05})
    other = write_points(tmp_path / "other.csv", {"id": "a", "horizon_s": 0.06})
    out = tmp_path / "out"
    assert run_command(f"points={mine}", f"output={out}").returncode == 0
    assert run_command(f"points={mine}", f"output={out}").returncode == 0
    whole = (out / "results.parquet").read_bytes()

    def refused(points):
        done = run_command(f"points={points}", f"output={out}")
        assert (done.returncode, done.stdout) == (2, "")
        assert "holds something else than results of these points" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    refused(other)
    (out / "manifest.json").write_text("{}")  # as a finished sweep has one
    refused(mine)
    (out / "manifest.json").unlink()
    assert (out / "results.parquet").read_bytes() == whole
    pl.read_parquet(out / "results.parquet").with_columns(status=pl.lit("ok")).write_parquet(out / "results.parquet")
    refused(mine)
    (out / "results.parquet").write_text("damaged")
    done = run_command(f"points={mine}", f"output={out}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "its results.parquet cannot be read" in done.stderr
