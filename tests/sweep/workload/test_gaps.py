"""Where bursts end."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.workload.gaps import CLEAR, Gaps


def found(*parts: np.ndarray):  # type: ignore[no-untyped-def]
    gaps = Gaps()
    for part in parts:
        gaps.add(part)
    return gaps.bursts()


@pytest.mark.parametrize("burst", [2, 8, 255])
def test_two_heaps_are_parted(burst: int) -> None:
    random = np.random.default_rng(1)
    within = random.uniform(300, 900, 100 * (burst - 1))
    between = random.uniform(0.8e6, 1.2e6, 99)
    bursts = found(within, between)
    assert bursts.clear > CLEAR
    assert 900 < bursts.limit_ns < 0.8e6
    assert bursts.long_gaps == 99
    assert bursts.short_ns == pytest.approx(within.sum())


@pytest.mark.parametrize("kind", ["exponential", "even", "equal", "uniform", "two bins"])
def test_one_heap_has_no_bursts(kind: str) -> None:
    random = np.random.default_rng(1)
    gaps = {
        "exponential": random.exponential(1e5, 5000),
        "even": random.normal(1e5, 1e4, 5000),
        "equal": np.full(5000, 1e5),
        "two bins": random.choice([0.999e6, 1.2e6], 5000),
        "uniform": random.uniform(0, 2e5, 5000),
    }[kind]
    bursts = found(np.maximum(gaps, 0))
    assert (bursts.limit_ns, bursts.long_gaps, bursts.short_ns) == (0, 5000, 0)


def test_nothing_and_no_time_at_all() -> None:
    assert found().long_gaps == 0
    assert found(np.zeros(9)).long_gaps == 9
