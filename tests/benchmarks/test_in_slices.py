"""What is said of slices comes from slices, also for scenarios that the model settles event by event."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import in_slices
from tests.workers.scenarios import table
from workers import delicate, task
from workers.events import run as events
from workers.slices import run

CALM = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 2_000.0, "in_flight": 32, "horizon_s": 0.05}
OVERSIZE = CALM | {"iova_pages": "64"}
LONG = CALM | {"policy": "list", "cpus": 32, "unmap_burst": 300, "in_flight": 6_000, "fq_entry_remote_ns": 3_000.0}


@pytest.fixture(autouse=True)
def nothing_is_cheap(monkeypatch):
    """Else small loads, which is what tests have time for, would be followed for that."""
    monkeypatch.setattr(delicate, "AMONG_FEW", 0.0)


def test_no_event_runs(monkeypatch):
    scenarios = table([CALM, OVERSIZE, LONG])
    assert run.run(scenarios)["delicate"].tolist() == [False, True, True]
    monkeypatch.setattr(events, "run", lambda scenarios: pytest.fail("events"))
    out = in_slices.simulate(scenarios)
    assert (out["ops_completed"] > 0).all()
    assert delicate.affordable(scenarios).all()  # as it was


def test_what_the_model_runs_in_slices_is_the_same():
    calm = table([CALM, CALM | {"policy": "list_untrimmed"}])
    ours, model = in_slices.simulate(calm), task.simulate(calm)
    assert list(ours) == list(model)
    assert all(np.array_equal(ours[name], model[name]) for name in model)


def test_a_scenario_left_to_the_events_is_told_in_a_sentence(monkeypatch):
    own = run.run
    monkeypatch.setattr(run, "run", lambda scenarios: own(scenarios) | {"delicate": np.array([False, True])})
    with pytest.raises(in_slices.LeftToEventsError, match="1 of 2 scenarios were left to the events"):
        in_slices.count(table([CALM, OVERSIZE]))
