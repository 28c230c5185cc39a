"""The time series of one scenario against what the same scenario counts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers import delicate
from workers.series import SERIES, time_series
from workers.slices import run
from workers.task import simulate


def test_a_cpu_that_never_sleeps_is_sampled_as_often_as_any():
    load = {"cpus": 1, "unmap_burst": 1000, "burst_period_us": 10.0, "in_flight": 1000, "horizon_s": 0.02}
    assert time_series(table([load]))["time_ms"] == pytest.approx(np.arange(21.0))


@pytest.mark.parametrize(
    "change", [{}, {"policy": "list", "unmap_burst": 192}, {"cpus": 32, "iova_pages": "64", "burst_period_us": 4000}]
)
def test_the_series_ends_where_the_counts_do(change):
    row = table([{"cpus": 16, "unmap_burst": 64, "burst_period_us": 3000, "in_flight": 512, "horizon_s": 0.2} | change])
    series, found = time_series(row), simulate(row)

    assert tuple(series) == SERIES
    assert {len(values) for values in series.values()} == {len(series["time_ms"])}
    assert series["time_ms"][-1] == pytest.approx(200.0)
    assert (np.diff(series["time_ms"]) >= 0).all()
    assert series["iova_nodes"].max() <= found["iova_nodes_peak"][0]
    assert series["depot_magazines"][-1] == found["depot_magazines_end"][0]
    held_ms = (series["rbtree_lock_held_fraction"] * np.diff(series["time_ms"], prepend=0.0)).sum()
    assert held_ms / 200.0 == pytest.approx(found["rbtree_lock_held_fraction"][0], abs=2e-3)
    assert series["residency_ms"].max() <= found["softirq_residency_max_ms"][0] + 1e-9
    assert (series["callback_ms"] <= series["residency_ms"] + 1e-9).all()
    assert not series["callback_ms"][~series["in_callback"]].any()
    assert series["in_callback"].any()
    assert series["queued_iovas"].max() > 0


@pytest.mark.parametrize(
    ("fq_entry_remote_ns", "too_dear", "runs_in_slices", "shows_the_events"),
    [(60.0, False, 1, False), (2500.0, False, 1, True), (2500.0, True, 1, False)],
)
def test_what_is_found_delicate_on_the_way_is_shown_event_by_event(
    fq_entry_remote_ns, too_dear, runs_in_slices, shows_the_events, monkeypatch
):
    """Only callbacks of 2.5 us an entry come near a chain, which nothing foresees here."""
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)
    monkeypatch.setattr(delicate, "NEAR_FORESEEN", np.inf)
    if too_dear:
        monkeypatch.setattr(delicate, "MOST_IN_FLIGHT", 0.0)
    in_slices, runs = run.run, []
    monkeypatch.setattr(run, "run", lambda *given: runs.append(given) or in_slices(*given))
    load = {"cpus": 64, "unmap_burst": 48, "in_flight": 300, "burst_period_us": 8000.0, "horizon_s": 0.1}
    row = table([load | {"policy": "list", "fq_entry_remote_ns": fq_entry_remote_ns}])
    series = time_series(row)
    assert len(runs) == runs_in_slices
    each_ms = np.arange(101.0)
    assert (len(series["time_ms"]) == 101 and series["time_ms"] == pytest.approx(each_ms)) == shows_the_events
    assert series["residency_ms"].max() == pytest.approx(simulate(row)["softirq_residency_max_ms"][0], rel=0.01)
