"""Tasks on Ray: a window of them, and workers that die; with real workers that really die."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import ray

from sweep.config import ClusterConfig
from sweep.execution.ray_executor import on_ray
from sweep.execution.ray_tasks import QUARANTINED, execute
from sweep.execution.task import Task
from sweep.storage import open_storage
from sweep.store import Store
from sweep.store.keys import from_hex, scenario_keys, to_hex
from tests.sweep import standin
from tests.sweep.contents import contents
from workers.schema import Columns, ScenarioError

pytestmark = pytest.mark.usefixtures("ray_of_two")


def tasks(folder: Path, columns: Columns, size: int) -> list[Task]:
    whole = Task(columns, scenario_keys(columns), open_storage(str(folder)))
    return [whole.take(rows) for rows in np.split(np.arange(len(whole)), range(size, len(whole), size))]


def rows(folder: Path, columns: Columns) -> pl.DataFrame:
    """What the store below ``folder`` holds of each scenario, in order."""
    store = Store(open_storage(str(folder)))
    assert store.load() == []
    every = pl.concat([store.read(name) for name, _ in store.storage.names()])
    wanted = pl.DataFrame({"scenario_key": to_hex(scenario_keys(columns))})
    assert every["scenario_key"].n_unique() == every.height
    assert len(from_hex(every["scenario_key"])) == len(columns["cpus"])
    return wanted.join(every, on="scenario_key", maintain_order="left")


def test_what_the_model_raises_is_a_row(tmp_path: Path) -> None:
    columns = contents(*(row + standin.RAISES * (row % 9 == 4) for row in range(40)))
    with on_ray(ClusterConfig(), standin.simulate) as (execute, cpus):
        done = [reference for _, reference in execute(tasks(tmp_path, columns, 3))]
    assert cpus == 2
    assert sum(reference.rows for reference in done) == 40
    assert sum(reference.failed for reference in done) == 4
    assert np.flatnonzero(rows(tmp_path, columns)["status"] == "failed").tolist() == [4, 13, 22, 31]


def test_never_more_than_the_window(tmp_path: Path) -> None:
    taken = 0

    def lazily() -> Iterator[Task]:
        nonlocal taken
        for task in tasks(tmp_path, contents(*range(30)), 1):
            taken += 1
            yield task

    with on_ray(ClusterConfig(), standin.simulate) as (execute, cpus):
        for finished, _ in enumerate(execute(lazily())):
            assert taken <= finished + 2 * cpus
    assert taken == 30


def test_a_scenario_that_kills_its_worker_is_found_and_quarantined(tmp_path: Path) -> None:
    columns = contents(0, 1, 2, standin.DIES, 4, 5, 6, 7)
    with on_ray(ClusterConfig(), standin.simulate) as (execute, _):
        done = [reference for _, reference in execute(tasks(tmp_path, columns, 4))]
    assert sum(reference.rows for reference in done) == 8
    table = rows(tmp_path, columns)
    assert table["status"].to_list() == ["ok"] * 3 + ["failed"] + ["ok"] * 4
    assert table["error"][3] == QUARANTINED


def test_a_store_that_cannot_be_written_stops_the_sweep(tmp_path: Path) -> None:
    waiting = tasks(tmp_path / "file" / "below", contents(0, 1), 1)
    (tmp_path / "file").write_text("no folder")
    with on_ray(ClusterConfig(), standin.simulate) as (execute, _), pytest.raises(OSError, match="Not a directory"):
        list(execute(waiting))


@pytest.mark.parametrize("error", [ConnectionError("no\nanswer"), ray.exceptions.RpcError("no answer")])
def test_a_ray_that_is_lost_is_none_of_the_store_s_trouble(error: Exception, tmp_path: Path) -> None:
    def lost() -> int:
        raise error

    with pytest.raises(ScenarioError, match=r"cluster: Ray runs no tasks any more \(no answer\); what is done is kept"):
        list(execute(tasks(tmp_path, contents(0, 1), 1), standin.simulate, lost))
