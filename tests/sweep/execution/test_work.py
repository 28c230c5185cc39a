"""The heart of a sweep: what is run, once, lazily, and where its results are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.execution.executor import inline
from sweep.execution.task import Reference
from sweep.execution.work import Tally, compute, first_unknown, missing
from sweep.plan import TablePlan
from sweep.progress import Progress
from sweep.results import Chunks
from sweep.storage import open_storage
from sweep.store import Store
from sweep.store.index import Index
from sweep.store.keys import KEY, scenario_keys
from tests.sweep.contents import DEPOT, plan
from tests.sweep.standin import RAISES, simulate
from workers.schema import Columns
from workers.tables import complete_columns


def run(folder: Path, seeds: list[int], batches: list[np.ndarray], ran: list[int] | None = None) -> tuple[Store, Tally]:
    """Runs batches of a plan of these seeds; the store, and what was run by seed in ``ran``."""

    def counting(scenarios: Columns) -> Columns:
        if ran is not None:
            ran.extend(scenarios["seed"].tolist())
        return simulate(scenarios)

    store, tally = Store(open_storage(str(folder))), Tally()
    store.load()
    with inline(counting) as (execute, cpus), open("/dev/null", "w") as nowhere:
        compute(plan(*seeds), batches, store, execute, cpus, Progress(nowhere), tally)
    return store, tally


@given(rounds=st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=4), seeds=st.permutations([0, 1, 2, 3, 4] * 2))
def test_each_content_is_run_once_whatever_the_rounds(
    rounds: list[list[int]], seeds: list[int], tmp_path_factory
) -> None:
    folder, ran = tmp_path_factory.mktemp("store"), []
    batches = [np.array(numbers, np.int64) for numbers in rounds]
    store, tally = run(folder, seeds, batches, ran)
    wanted = {seeds[number] for numbers in rounds for number in numbers}
    assert sorted(ran) == sorted(wanted)
    assert tally.rows == len(wanted)
    every = np.arange(len(seeds))
    (left,) = missing(plan(*seeds), [every], store)
    assert [seeds[number] for number in left] == [seed for seed in seeds if seed not in wanted]


def test_batches_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    taken: list[int] = []

    def batches() -> Iterator[np.ndarray]:
        for number in range(6):
            taken.append(number)
            yield np.array([number])

    store = Store(open_storage(str(tmp_path)))
    with inline(simulate) as (execute, cpus), open("/dev/null", "w") as nowhere:
        progress = Progress(nowhere)
        seen = []
        progress.add = lambda *counted: seen.append(len(taken))  # type: ignore[method-assign]
        compute(plan(*range(6)), batches(), store, execute, cpus, progress, Tally())
    assert seen == [1, 2, 3, 4, 5, 6]


def test_results_of_any_rows_can_be_looked_up(tmp_path: Path) -> None:
    seeds = [3, RAISES, 5, 3]
    store, tally = run(tmp_path, seeds, [np.arange(4)])
    assert (tally.rows, tally.failed) == (3, 1)
    found = Chunks(store).find(scenario_keys(plan(*seeds).rows(np.array([3, 1, 0]))))
    assert found["status"].to_list() == ["ok", "failed", "ok"]
    assert found["error"].to_list() == [None, "ValueError: no such machine", None]


def test_what_will_run_is_noted_in_the_last_index_alone() -> None:
    store, before = Index(), Index()
    one, two, three = keys = scenario_keys(plan(1, 2, 3).rows(np.arange(3)))
    store.put(keys[:1], "a")
    assert first_unknown(np.array([two, one, two, three], KEY), store, before).tolist() == [0, 3]
    assert (len(store), len(before)) == (1, 2)
    assert first_unknown(keys, store, before).tolist() == []


def test_scenarios_that_are_one_run_are_in_one_task(tmp_path: Path) -> None:
    """However far apart they are listed."""
    policies, seeds = {"array": DEPOT, "wide": DEPOT | {"depot_capacity": 128}}, list(range(40))
    load = {"cpus": 64, "unmap_burst": 8, "in_flight": 16, "burst_period_us": 8e3, "phase": "aligned", "horizon_s": 1e3}
    given: dict[str, list[Any]] = {name: [value] * 80 for name, value in load.items()}
    given |= {"id": [f"r{i}" for i in range(80)], "seed": seeds * 2, "policy": ["array"] * 40 + ["wide"] * 40}
    tasks: list[Counter[int]] = []

    def noting(scenarios: Columns) -> Columns:
        tasks.append(Counter(scenarios["seed"].tolist()))
        return simulate(scenarios)

    store = Store(open_storage(str(tmp_path)))
    store.load()
    with inline(noting) as (execute, cpus), open("/dev/null", "w") as nowhere:
        both = TablePlan(complete_columns(given), policies)
        compute(both, [np.arange(80)], store, execute, cpus, Progress(nowhere), Tally())
    assert len(tasks) > 4
    assert all(count == 2 for task in tasks for count in task.values())
    assert sum(map(len, tasks)) == len(seeds)


def test_efficiency_is_the_model_s_share_of_the_workers_time() -> None:
    tally = Tally(rows=4, chunks=2, model_s=9.5, started=100.0, ended=105.0)
    assert tally.summary(99.0, 2) == {
        "chunks": 2,
        "peak_mib": 0,
        "first_after_s": 1.0,
        "span_s": 5.0,
        "efficiency": 0.95,
    }
    assert Tally().summary(0.0, 2) == {"chunks": 0}


def chunk(model_s: float, peak_mib: float, core_factor: float) -> Reference:
    return Reference("", 1, 0, 0, model_s, 0.0, model_s, peak_mib, core_factor)


@pytest.mark.parametrize("delicate", [True, False])
def test_what_a_chunk_took_is_no_part_of_its_own_prediction(delicate: bool) -> None:
    for model_s in (1.0, 50.0):
        tally = Tally()
        tally.add(chunk(model_s, 100, core_factor=0.5), delicate, estimated_s=10)
        said = tally.forecast(cpus=2)
        assert (said["predicted"]["core_s"], said["predicted"]["wall_s"]) == (5.0, 2.5)
        assert said["actual"]["core_s"] == model_s


def test_the_forecast_corrects_by_the_core_and_by_earlier_chunks_in_slices() -> None:
    tally = Tally()
    chunks = [(True, 10, 30, 200, 0.5), (False, 4, 2, 250, 3.0), (True, 10, 20, 300, 2.0), (False, 6, 7, 90, 3.0)]
    predicted_s = 0.0
    for (delicate, estimated_s, model_s, peak_mib, core_factor), more_s in zip(chunks, (5, 12, 20, 3), strict=True):
        tally.add(chunk(model_s, peak_mib, core_factor), delicate, estimated_s)
        predicted_s += more_s
        assert tally.forecast(cpus=2)["predicted"]["core_s"] == predicted_s
    assert tally.forecast(cpus=2)["predicted"]["peak_mib"] == 250
    assert tally.forecast(cpus=2)["actual"]["core_s"] == 59.0
    assert Tally().forecast(2)["predicted"]["core_s"] == 0
