"""The benchmark that asks whether the length of a slice decides."""

from __future__ import annotations

import pytest

from benchmarks.slice_lengths import compare, main, slices_times
from tests.workers.scenarios import table
from workers import delicate
from workers.slices import run

CALM = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 2_000.0, "in_flight": 32, "horizon_s": 0.05}
# 11 ms of softirq with the slices' own length, near the re-arm period
OVERSIZE = {"cpus": 16, "unmap_burst": 64, "burst_period_us": 6_000.0, "in_flight": 128, "iova_pages": "64"}
OVERSIZE |= {"rb_erase_ns": 2_000.0, "rb_insert_ns": 2_000.0, "horizon_s": 0.1}


@pytest.fixture(autouse=True)
def nothing_is_cheap(monkeypatch):
    """Else small loads, which is what tests have time for, would be followed for that."""
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)


def steps_of(scenarios) -> int:
    steps = []
    run.run(scenarios, lambda s, p: steps.append(1))
    return len(steps)


def test_shorter_slices_are_more_slices():
    scenarios = table([CALM])
    own = steps_of(scenarios)
    with slices_times(0.5):
        halved = steps_of(scenarios)
    assert halved > 1.5 * own
    assert steps_of(scenarios) == own


def test_a_calm_load_keeps_its_class():
    (line,) = compare(table([CALM, CALM | {"policy": "list_untrimmed"}]), [0.5])
    assert line.startswith(
        "slices 0.5 times as long: of rows run in slices, class the same in 2 of 2 (100.0 %, asked 98 %)"
    )


def test_what_is_followed_event_by_event_runs_in_slices_too_and_is_counted_apart():
    calm, oversize = compare(table([CALM, OVERSIZE]), [2.0])
    assert calm.startswith("slices 2 times as long: of rows run in slices, class the same in 1 of 1 ")
    assert oversize.startswith("slices 2 times as long: of rows followed event by event, class the same in 0 of 1 ")


@pytest.mark.parametrize(("arguments", "key"), [(["--rows", "0"], "--rows"), (["--times", "0"], "--times")])
def test_refused_in_one_sentence(capsys, arguments, key):
    with pytest.raises(SystemExit, match="2"):
        main(["tests/data/truth_rows.jsonl", *arguments])
    said = capsys.readouterr().err
    assert said.startswith(key)
    assert said.count("\n") == 1
