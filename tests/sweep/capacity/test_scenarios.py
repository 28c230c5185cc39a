"""A host class at other rates: each under the label of the rate that it has."""

from __future__ import annotations

import pytest

from sweep.capacity.scenarios import at_rate, ladder
from sweep.capacity.search import LADDER, factor
from tests.sweep.capacity.standin import above, host
from tests.sweep.capacity.test_study import studied
from workers.schema import column

PERIOD = column("burst_period_us")


def test_the_label_is_the_factor_by_which_the_period_shrinks() -> None:
    scenario = host(burst_period_us="0.5", unmap_burst="1").scenario
    rows = {step: at_rate(scenario, step) for step in ladder(scenario)}
    assert [row["id"] for row in rows.values()] == ["h/x0.125", "h/x0.25", "h/x0.5", "h/x1", "h/x2", "h/x4"]
    for step, row in rows.items():
        assert scenario["burst_period_us"] / row["burst_period_us"] == pytest.approx(factor(step))


def test_no_period_is_asked_for_that_the_schema_refuses() -> None:
    assert ladder(host().scenario) == list(LADDER)
    for period_us in (PERIOD.low, PERIOD.high):
        steps = ladder(host(burst_period_us=str(period_us), unmap_burst="1").scenario)
        assert 0 in steps
        assert len(steps) < len(LADDER)


def test_headroom_ends_at_the_largest_rate_that_was_tested() -> None:
    (found,), _ = studied(above({}), host(burst_period_us="0.5", unmap_burst="1"))
    assert (found.now.headroom.safe, found.now.headroom.unsafe, found.now.headroom.most) == (4.0, None, 4.0)
