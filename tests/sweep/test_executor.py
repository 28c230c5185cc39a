"""Executors: the same outcome in this process and on Ray, whatever the chunks; failures are values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sweep.chunks import rows_of
from sweep.config import ClusterConfig
from sweep.executor import Outcome, Task, inline
from sweep.ray_executor import on_ray
from tests.sweep.standin import run_chunk
from workers.schema import Columns, ScenarioError, complete_columns


def scenarios(*ids: str) -> Columns:
    rows = len(ids)
    return complete_columns(
        {
            "id": list(ids),
            "cpus": np.arange(1, rows + 1),
            "unmap_burst": np.full(rows, 4),
            "burst_period_us": np.full(rows, 100.0),
            "in_flight": np.full(rows, 8),
        }
    )


def tasks(columns: Columns, size: int, folder: Path) -> list[Task]:
    rows = len(columns["id"])
    chunks = [range(first, min(first + size, rows)) for first in range(0, rows, size)]
    return [Task(rows_of(columns, chunk), chunk.start, str(folder)) for chunk in chunks]


def done(outcomes: list[Outcome], folder: Path) -> tuple[list[str], list[tuple[int, str, str]]]:
    """Ids in the files, in order of the files' names, and what failed."""
    files = sorted(folder.glob("*.parquet"))
    ids = pl.concat([pl.read_parquet(file, columns=["id"]) for file in files])["id"].to_list() if files else []
    return ids, sorted((row.row, row.id, row.error) for outcome in outcomes for row in outcome.failed)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_scenario_that_raises_stands_alone(size: int, tmp_path: Path) -> None:
    columns = scenarios("a", "b", "raise1", "c", "raise2", "d", "e")
    with inline(run_chunk) as (execute, cpus):
        outcomes = list(execute(tasks(columns, size, tmp_path)))
    assert cpus == 1
    ids, failed = done(outcomes, tmp_path)
    assert ids == ["a", "b", "c", "d", "e"]
    assert failed == [(2, "raise1", "ValueError: no such machine"), (4, "raise2", "ValueError: no such machine")]
    assert sum(outcome.rows for outcome in outcomes) == 7


def test_a_full_disk_is_no_scenario_s_fault(tmp_path: Path) -> None:
    with inline(run_chunk) as (execute, _), pytest.raises(OSError, match="No space left"):
        list(execute(tasks(scenarios("a", "full"), 2, tmp_path)))


@pytest.mark.usefixtures("ray_of_two")
class TestOnRay:
    def test_as_in_this_process(self, tmp_path: Path) -> None:
        columns = scenarios(*(f"{'raise' if row % 9 == 4 else 'ok'}{row}" for row in range(40)))
        with on_ray(ClusterConfig(), run_chunk) as (execute, cpus):
            outcomes = list(execute(tasks(columns, 3, tmp_path)))
        assert cpus == 2
        ids, failed = done(outcomes, tmp_path)
        assert ids == [f"ok{row}" for row in range(40) if row % 9 != 4]
        assert [row for row, _, _ in failed] == [4, 13, 22, 31]
        assert os.getpid() not in pl.read_parquet(tmp_path)["callback_count"].to_list()

    def test_never_more_than_the_window(self, tmp_path: Path) -> None:
        taken = 0

        def lazily() -> object:
            nonlocal taken
            for task in tasks(scenarios(*map(str, range(30))), 1, tmp_path):
                taken += 1
                yield task

        with on_ray(ClusterConfig(), run_chunk) as (execute, cpus):
            for finished, _ in enumerate(execute(lazily())):  # type: ignore[arg-type]
                assert taken <= finished + 2 * cpus
        assert taken == 30

    def test_a_worker_that_dies_fails_its_chunk_alone(self, tmp_path: Path) -> None:
        with on_ray(ClusterConfig(), run_chunk) as (execute, _):
            outcomes = list(execute(tasks(scenarios("a", "die", "b"), 1, tmp_path)))
        ids, failed = done(outcomes, tmp_path)
        assert ids == ["a", "b"]
        assert [(row, name) for row, name, _ in failed] == [(1, "die")]

    def test_a_full_disk_is_raised_here_as_there(self, tmp_path: Path) -> None:
        with (
            on_ray(ClusterConfig(), run_chunk) as (execute, _),
            pytest.raises(OSError, match="No space left on device"),
        ):
            list(execute(tasks(scenarios("a", "full"), 1, tmp_path)))

    def test_tokens_are_on(self) -> None:
        import ray

        assert os.environ["RAY_AUTH_MODE"] == "token"
        address = ray.get_runtime_context().gcs_address
        look = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
        stranger = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": "0" * 64,
            "RAY_NUM_REDIS_GET_RETRIES": "1",
        }
        refused = subprocess.run(
            [sys.executable, "-c", look], env=stranger, capture_output=True, text=True, timeout=120
        )
        assert refused.returncode != 0
        assert "InvalidAuthToken" in refused.stderr
        sweep = [sys.executable, "-m", "sweep", "+grid=smoke", f"cluster.address={address}"]
        refused = subprocess.run(sweep, env=stranger, capture_output=True, text=True, timeout=120)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert "RAY_AUTH_TOKEN" in refused.stderr


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (ClusterConfig(address="127.0.0.1:1"), "nothing answers at '127.0.0.1:1'"),
        (ClusterConfig(address="http://head:8265"), "allowed are local, auto and HOST:PORT"),
        (ClusterConfig(address="head"), "allowed are local, auto and HOST:PORT"),
    ],
)
def test_an_address_without_ray(cluster: ClusterConfig, told: str) -> None:
    with pytest.raises(ScenarioError) as refusal, on_ray(cluster, run_chunk):
        pass
    assert told in str(refusal.value)


def test_ray_address_decides_where_the_configuration_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")
    with pytest.raises(ScenarioError, match="nothing answers"), on_ray(ClusterConfig(), run_chunk):
        pass
    with (
        pytest.raises(ScenarioError, match=":3"),
        on_ray(ClusterConfig(address="127.0.0.1:3"), run_chunk),
    ):
        pass
