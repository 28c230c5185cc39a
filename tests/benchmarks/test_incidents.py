"""The table of incidents: every point with both policies, and a folder that holds something else."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.incidents import main, points, table

CALM = {
    "verdict": "ok",
    "softirq_residency_max_ms": 2.5,
    "callback_max_ms": 2.5,
    "rbtree_lock_held_fraction": 0.25,
    "soft_lockup_hazard_per_hour": 0.0,
    "soft_lockup_hazard_low_per_hour": 0.0,
    "soft_lockup_hazard_high_per_hour": 0.0,
}
LOCKED = CALM | {"verdict": "soft_lockup", "softirq_residency_max_ms": 21_984.0, "soft_lockup_hazard_per_hour": 90.0}
LOCKED |= {"soft_lockup_hazard_low_per_hour": 5.0, "soft_lockup_hazard_high_per_hour": 170.0}


def test_every_incident_has_a_row_before_and_after():
    names = [point["name"] for point in points()]
    rows = [{"id": f"{name}:array"} | LOCKED for name in names] + [{"id": f"{name}:list"} | CALM for name in names]
    lines = table(pl.DataFrame(rows)).splitlines()
    assert len(lines) == 2 + 2 * len(names)
    assert f"`{names[0]}`" in lines[2]
    assert lines[2].endswith("| before | soft_lockup | 22.0 s | 2.5 ms | 25 % | 90 (5 to 170) |")
    assert lines[3].endswith("| after | ok | 2.5 ms | 2.5 ms | 25 % | 0 |")


def test_another_folder_is_refused(tmp_path, capsys):
    pl.DataFrame({"id": ["x"]}).write_parquet(tmp_path / "results.parquet")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(SystemExit) as left:
            main([str(folder)])
        assert left.value.code == 2
        assert capsys.readouterr().err.startswith(f"{folder}: holds no results of grid=incidents")
