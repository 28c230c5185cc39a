"""Rate and period: the one said last counts."""

from __future__ import annotations

import pytest

from sweep.plan.rate import overlay, period_us, rate_per_s, refuse_both
from workers.schema import ScenarioError

BY_RATE, BY_PERIOD = {"unmap_rate_per_s": 500.0, "unmap_burst": 8}, {"burst_period_us": 77.0}


def test_the_one_said_last_counts() -> None:
    assert period_us(overlay([BY_PERIOD, BY_RATE])) == 16_000.0
    assert period_us(overlay([BY_RATE, BY_PERIOD])) == 77.0
    assert period_us({"unmap_burst": 8}) is None


def test_a_burst_said_after_the_rate_keeps_the_rate() -> None:
    given = overlay([BY_RATE, {"unmap_burst": 64}])
    assert rate_per_s(given | {"burst_period_us": period_us(given)}) == pytest.approx(500)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"unmap_rate_per_s": 5}, "unmap_burst: missing"),
        ({"unmap_rate_per_s": "x", "unmap_burst": 8}, "unmap_rate_per_s: 'x' was given"),
        ({"unmap_rate_per_s": 5, "unmap_burst": 0}, "unmap_burst: 0 was given"),
        ({"unmap_rate_per_s": 1e9, "unmap_burst": 8}, "in bursts of 8 allowed is 0.008 to 8e\\+07"),
    ],
)
def test_what_no_period_gives_is_refused(given: dict, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        period_us(given)


def test_both_in_one_place_are_refused() -> None:
    refuse_both(BY_RATE)
    with pytest.raises(ScenarioError, match=r"^grid\.unmap_rate_per_s: given beside burst_period_us"):
        refuse_both([*BY_RATE, *BY_PERIOD], "grid.")
