"""The probe takes what the load takes."""

from __future__ import annotations

import time

import pytest

from sweep import core_speed
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
