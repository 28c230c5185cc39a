"""The calibration of predicted lockups: its tables, and a run of the model over a recorded line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.lockup_calibration import LongRun, main, read_runs, report

SCENARIO = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 200, "in_flight": 32, "horizon_s": 22}


def test_the_reliability_table_by_hand():
    runs = [LongRun({}, longest_s, longest_s >= 20) for longest_s in (0.2, 1.5, 20.0, 20.0)]
    text = report(runs, np.array([0.0, 0.1, 0.8, 0.9]), np.array([0.2, 4.0, 12.0, 30.0]))
    assert "0.00..0.05      1            0.00       0.00" in text
    assert "0.75..0.95      2            0.85       1.00" in text
    assert "all             4            0.45       0.50" in text
    assert "2 of 3, asked 80 %" in text


def test_a_recorded_line(tmp_path, capsys):
    figures = {"softirq_residency_max_ms": 0.4}
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"scenario": SCENARIO, "array": figures, "list": figures}) + "\n")
    assert [run.locked for run in read_runs(path)] == [False, False]
    main([str(path), "--horizon-s", "0.05"])
    assert "all             2            0.00       0.00" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", json.dumps({"scenario": {"cpu": 1}, "array": {"softirq_residency_max_ms": 1}})])
def test_an_unusable_file_is_refused(tmp_path, text, capsys):
    path = tmp_path / "long.jsonl"
    path.write_text(text)
    with pytest.raises(SystemExit) as left:
        main([str(path)])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith(f"{path}: not a file of long runs")
