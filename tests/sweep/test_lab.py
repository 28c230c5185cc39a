"""Batches that a command thinks of: run once, found again, failures as rows, lost files run anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.lab import lab, points_csv
from sweep.results import rows_of
from sweep.storage import open_storage
from tests.sweep import standin
from tests.sweep.capacity.standin import LIBRARY
from workers.points import read_points
from workers.schema import Columns
from workers.tables import complete_row


def scenario(name: str, cpus: int, seed: int = 0) -> dict:
    given = {"id": name, "cpus": cpus, "unmap_burst": 4, "burst_period_us": 1000.0, "in_flight": 16, "seed": seed}
    return complete_row(given)


def counting(ran: list[int]):
    def simulate(scenarios: Columns) -> Columns:
        ran.extend(scenarios["cpus"].tolist())
        return standin.simulate(scenarios)

    return simulate


def test_equal_content_is_run_once_over_batches_and_labs(tmp_path: Path) -> None:
    ran: list[int] = []
    for _ in range(2):
        with lab(LIBRARY, open_storage(str(tmp_path)), True, None, counting(ran)) as made:
            rows = made.run([scenario("a", 8), scenario("b", 16), scenario("c", 8)])
            assert [row["id"] for row in rows] == ["a", "b", "c"]
            assert [row["softirq_residency_max_ms"] for row in rows] == [8.0016, 16.0016, 8.0016]
            assert made.run([]) == []
            assert made.run([scenario("d", 16)])[0]["status"] == "ok"
    assert sorted(ran) == [8, 16]


def test_what_fails_is_a_row_of_its_own(tmp_path: Path) -> None:
    with lab(LIBRARY, open_storage(str(tmp_path)), True, None, standin.simulate) as made:
        bad, good = made.run([scenario("bad", 8, seed=standin.RAISES), scenario("good", 8)])
    assert (bad["status"], bad["error"], bad["verdict"]) == ("failed", "ValueError: no such machine", None)
    assert good["status"] == "ok"


def test_a_chunk_that_goes_missing_is_run_again(tmp_path: Path) -> None:
    ran: list[int] = []
    with lab(LIBRARY, open_storage(str(tmp_path)), True, None, counting(ran)) as made:
        made.run([scenario("a", 8)])
        for chunk in tmp_path.rglob("*.parquet"):
            chunk.unlink()
        assert made.run([scenario("a", 8)])[0]["status"] == "ok"
    assert ran == [8, 8]


def test_what_is_run_again_is_more_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three are found again each time that the third one is lost."""
    lost: list[Path] = []

    def losing(*asked: Any) -> Any:
        if len(lost) < 3:
            lost.extend(chunk for chunk in tmp_path.rglob("*.parquet") if chunk not in kept)
            lost[-1].unlink()
        return rows_of(*asked)

    with lab(LIBRARY, open_storage(str(tmp_path)), True, None, standin.simulate) as made:
        made.run([scenario("a", 8), scenario("b", 16)])
        kept = [*tmp_path.rglob("*.parquet")]
        monkeypatch.setattr("sweep.lab.rows_of", losing)
        made.run([scenario("a", 8), scenario("b", 16), scenario("c", 32)])
        assert len(lost) == 3
        counts = made.progress.snapshot()
    assert (counts["total"], counts["done"], counts["reused"], counts["work"]) == (8, 8, 2, 1.0)


def test_scenarios_come_back_from_the_points_file(tmp_path: Path) -> None:
    wanted = [scenario("a", 8), scenario("b", 16), scenario("a", 8)]
    (tmp_path / "runs.csv").write_bytes(points_csv(wanted))
    read = read_points(tmp_path / "runs.csv")
    assert read["id"].tolist() == ["a", "b"]
    assert {name: values[1] for name, values in read.items()} == wanted[1]
