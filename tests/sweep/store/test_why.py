"""What a sweep says of the points that it runs, beside the last run of its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweep.config import GridConfig, Library
from sweep.execution.executor import inline
from sweep.execution.work import Tally, compute, missing
from sweep.plan import Plan, TablePlan, windows
from sweep.plan.grid import expand
from sweep.progress import Progress
from sweep.results import write_results
from sweep.storage import Storage, open_storage
from sweep.store import Store, why
from tests.sweep.contents import DEPOT
from tests.sweep.standin import simulate
from workers import MODEL_VERSION
from workers.tables import complete_columns

GRID = {"cpus": [8, 16], "policy": ["array", "list"], "unmap_burst": 4, "burst_period_us": 1000, "in_flight": [16, 32]}
LISTS = DEPOT | {"depot_kind": "list", "depot_capacity": 0, "trim_threshold_per_cpu": 2}


def grid(lists: dict[str, object] = LISTS, **axes: object) -> Plan:
    return expand(GridConfig(**GRID | axes), {}, {}, Library({"array": DEPOT, "list": lists}, {}, {}))


def table(*rows: tuple[str, int, float]) -> Plan:
    """Points of (id, cpus, rb_visit_ns)."""
    ids, cpus, visits = zip(*rows, strict=True)
    given = {"id": ids, "cpus": cpus, "rb_visit_ns": visits}
    given |= {"unmap_burst": [4] * len(rows), "burst_period_us": [9] * len(rows), "in_flight": [8] * len(rows)}
    return TablePlan(complete_columns(given), {"array": DEPOT})


class Kept:
    """A store below a folder that a plan was run into."""

    def __init__(self, folder: Path, plan: Plan, lists: dict[str, object] = LISTS) -> None:
        self.storage: Storage = open_storage(str(folder / "store"))
        store, out = Store(self.storage), open_storage(str(folder / "out"))
        with inline(simulate) as (execute, cpus), open(folder / "said", "w") as said:
            compute(plan, windows(len(plan)), store, execute, cpus, Progress(said), Tally())
        out.write("manifest.json", b"{}")
        write_results(plan, store, out, None)
        why.remember(self.storage, "mine", out, {"array": DEPOT, "list": lists})

    def explain(self, plan: Plan) -> str:
        store = Store(self.storage)
        store.load()
        return why.explain(self.storage, "mine", plan, np.concatenate(list(missing(plan, windows(len(plan)), store))))


def test_of_a_sweep_that_never_ran_nothing_is_said(tmp_path: Path) -> None:
    assert why.explain(open_storage(str(tmp_path)), "mine", grid(), np.arange(8)) == ""


def test_nothing_is_said_where_nothing_runs(tmp_path: Path) -> None:
    assert Kept(tmp_path, grid()).explain(grid(seed=0)) == ""


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (grid(rb_visit_ns=80), "8 with another rb_visit_ns"),
        (grid(cpus=[8, 16, 32]), "4 not in it"),
        (grid(rb_visit_ns=80, cpus=[8, 16, 32]), "4 not in it, 8 with another rb_visit_ns"),
        (grid(LISTS | {"trim_threshold_per_cpu": 3}), "4 with another trim_threshold"),
        (grid(hz=100, seed=5), "8 with another hz and seed"),
    ],
)
def test_of_a_grid(plan: Plan, told: str, tmp_path: Path) -> None:
    assert Kept(tmp_path, grid()).explain(plan) == f"beside the last run of mine: {told}"


def test_scenarios_that_never_ran_are_not_said_to_run_again(tmp_path: Path) -> None:
    told = Kept(tmp_path, grid()).explain(grid(in_flight=[64, 128]))
    assert told == "beside the last run of mine: 8 with another in_flight"


def test_points_are_known_by_their_ids(tmp_path: Path) -> None:
    kept = Kept(tmp_path, table(("a", 8, 1.0), ("b", 8, 2.0), ("c", 16, 1.0)))
    now = table(("a", 8, 1.0), ("b", 8, 80.0), ("c", 32, 1.0), ("d", 64, 1.0))
    told = "beside the last run of mine: 1 not in it, 1 with another rb_visit_ns, 1 with another cpus"
    assert kept.explain(now) == told


def test_another_model_is_the_reason_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, grid())
    monkeypatch.setattr(why, "MODEL_VERSION", "next")
    told = why.explain(kept.storage, "mine", grid(), np.arange(8))
    assert told.endswith(f": 8 of model version {MODEL_VERSION}, now next")


def test_what_the_store_lost_is_named_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path, grid())
    for name, _ in kept.storage.names():
        if name.endswith(".parquet"):
            kept.storage.delete(name)
    assert kept.explain(grid()) == "beside the last run of mine: 8 lost from the store"


@pytest.mark.parametrize("data", [b"", b"PAR1 and no more", b"PAR1" + bytes(50) + b"PAR1"])
def test_a_table_that_is_none_says_nothing(data: bytes, tmp_path: Path) -> None:
    kept = Kept(tmp_path, grid())
    (tmp_path / "out" / "results.parquet").write_bytes(data)
    assert kept.explain(grid(seed=1)) == ""
