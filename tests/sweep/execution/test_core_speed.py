"""The probe takes what the load takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweep.execution import core_speed, task
from sweep.storage import open_storage
from sweep.store.keys import scenario_keys
from tests.sweep import standin
from tests.sweep.contents import contents
from workers.schema import Columns
from workers.task import simulate


def test_a_core_that_takes_longer_has_a_larger_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = core_speed.core_factor.__wrapped__
    found = measure()
    assert found > 0

    def slowly(scenarios: Columns) -> Columns:
        until = time.thread_time() + 3 * found * core_speed.LOAD_S
        while time.thread_time() < until:
            pass
        return simulate(scenarios)

    monkeypatch.setattr(core_speed, "simulate", slowly)
    assert measure() > 2 * found


def test_a_worker_says_how_fast_its_core_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(task, "core_factor", lambda: 3.5)
    some = task.Task(contents(1), scenario_keys(contents(1)), open_storage(str(tmp_path)))
    assert task.run_task(some, standin.simulate).core_factor == 3.5
