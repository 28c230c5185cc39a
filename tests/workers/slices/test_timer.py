"""The flush timer of the slices: when it fires, and the chain of callbacks that stays in the softirq."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.in_slices import count, simulate
from tests.workers.scenarios import table
from workers.jiffies import rearm_period_ms
from workers.reference.machine import simulate as simulate_row
from workers.reference.run import simulate_columns
from workers.slices import params, timer
from workers.slices.state import NEVER, initial
from workers.slices.step import step

USUAL = {"cpus": 4, "unmap_burst": 16, "burst_period_us": 2_000.0, "in_flight": 64, "horizon_s": 0.3}
# a burst's 16 entries take the callback 64 ms, four times the re-arm period
SLOW = USUAL | {"burst_period_us": 15_000.0, "fq_entry_remote_ns": 4e6, "horizon_s": 0.5}


def armed(at_ns: float, hz: int, **columns):
    """A lane whose idle timer CPU 2 arms at ``at_ns``."""
    p = params.from_columns(table([USUAL | {"hz": hz} | columns]))
    s = initial(p)
    timer.arm(s, p, np.array([at_ns]), np.array([2]))
    return s, p


@given(st.sampled_from([(100, 10, 20), (250, 12, 16), (300, 10, 40 / 3), (1000, 10, 11)]), st.floats(0, 1e10))
def test_it_fires_at_a_tick_within_the_wheels_limits(wheel, at_ns):
    hz, shortest_ms, longest_ms = wheel
    s, _ = armed(at_ns, hz)
    wait_ms = (s.lane_timer_due_ns[0] - at_ns) / 1e6
    assert shortest_ms - 1e-5 <= wait_ms <= longest_ms + 1e-5
    assert longest_ms == pytest.approx(rearm_period_ms(np.array(hz)))
    ticks = s.lane_timer_due_ns[0] * hz / 1e9
    assert ticks == pytest.approx(round(ticks))
    assert s.lane_timer_row[0] == 2


def test_a_pending_timer_is_never_pushed_back():
    s, p = armed(1e6, 250)
    due_ns = s.lane_timer_due_ns[0]
    timer.arm(s, p, np.array([9e6]), np.array([3]))
    assert (s.lane_timer_due_ns[0], s.lane_timer_row[0]) == (due_ns, 2)


def test_no_unmap_or_strict_mode_arms_nothing():
    assert armed(np.inf, 250)[0].lane_timer_due_ns[0] == NEVER
    assert armed(1e6, 250, strict=True)[0].lane_timer_due_ns[0] == NEVER


def test_rings_whose_cpus_come_first_are_left_to_them():
    """Four rings of 10 entries, 100 ns each and for the lock: the callback comes to the second ring after 1.1 us,
    to the third after 1.2 us, as CPU 1 was there at 1 us, and to the last after 2.3 us. CPU 3 is there at 2.2 us."""
    costs = {"fq_entry_remote_ns": 85.0, "lock_local_ns": 15.0, "lock_remote_ns": 100.0, "magazine_slab_ns": 0.0}
    p = params.from_columns(table([USUAL | costs]))
    s = initial(p)
    s.lane_in_callback[0], s.lane_timer_row[0] = True, 0
    s.lane_ring_pos[0] = 0
    s.row_ring_old[0] = 10.0
    s.row_next_ns[:] = [0.0, 1_000.0, 9_000.0, 2_200.0]
    spent = timer.drain(s, p, np.array([1e6]))
    assert s.row_ring_old[0].tolist() == [0.0, 10.0, 0.0, 10.0]
    assert s.count["drained_by_timer"].tolist() == [20.0]
    assert spent[0] == pytest.approx(2_400.0)


def test_armed_during_its_callback_it_stays_on_its_cpu():
    s, p = armed(1e6, 250)
    s.lane_now_ns[:] = s.lane_timer_due_ns
    timer.fire(s, p)
    assert s.lane_in_callback[0]
    assert s.lane_timer_due_ns[0] == NEVER
    timer.arm(s, p, np.array([17e6]), np.array([3]))
    assert s.lane_timer_row[0] == 2
    assert s.lane_timer_due_ns[0] == 32e6


def test_a_callback_beyond_the_rearm_period_keeps_the_softirq():
    p = params.from_columns(table([SLOW | {"horizon_s": 1.5}]))
    s = initial(p)
    stays: dict[float, set[int]] = {}
    while s.lane_now_ns[0] < p.horizon_ns[0]:
        s = step(s, p)
        if s.lane_in_callback[0]:
            stays.setdefault(s.lane_softirq_start_ns[0], set()).add(int(s.lane_timer_row[0]))
    assert len(stays) == 1  # entered once, never left
    assert [len(hosts) for hosts in stays.values()] == [1]
    assert sum(len(ids) for ids, _, _ in s.callbacks) >= 3


def test_what_is_reported_of_a_chain_is_what_the_scalar_twin_reports():
    """Five stays of six are the twin's, which ends the sixth early; the callbacks' median is 0.95 times the twin's."""
    chains = table([SLOW | {"seed": seed} for seed in range(6)])
    out, twin = simulate(chains), simulate_columns(chains)
    assert "ok" not in {*out["verdict"], *twin["verdict"]}
    assert np.isclose(out["softirq_residency_max_ms"], twin["softirq_residency_max_ms"], rtol=0.01).sum() >= 5
    assert np.median(out["callback_max_ms"]) == pytest.approx(np.median(twin["callback_max_ms"]), rel=0.1)


def test_stays_that_end_are_as_many_and_as_long_as_the_scalar_twin_has():
    """Those of 0.1 s and more, which a lockup is foreseen from: bursts so seldom that a few callbacks are a stay."""
    chains = table([SLOW | {"burst_period_us": 300_000.0, "horizon_s": 1.2, "seed": seed} for seed in range(6)])
    counted = count(chains)
    rows = [{name: values.tolist()[i] for name, values in chains.items()} for i in range(6)]
    twin = [simulate_row(row, row) for row in rows]
    for name in ("long_stays", "long_stays_ms"):
        assert counted[name].sum() == pytest.approx(sum(row[name] for row in twin), rel=0.1), name
    assert counted["long_stays"].min() >= 3


def test_without_a_chain_a_stay_is_one_callback():
    out = simulate(table([USUAL]))
    assert 0 < out["softirq_residency_max_ms"][0] == out["callback_max_ms"][0] < 1
    assert out["verdict"][0] == "ok"


def test_each_period_of_a_calm_timer_is_one_of_the_wheels():
    # bursts every 2 ms re-arm it at once: 3 s / (12 to 16 ms + the callback and the wait for the first unmap after it)
    calm = simulate(table([USUAL | {"horizon_s": 3.0, "cpus": 2}]))
    assert 3000 / 19 <= calm["callback_count"][0] <= 3000 / 12
    assert calm["iovas_drained_by_timer"][0] + calm["iovas_drained_locally"][0] <= calm["ops_completed"][0] / 2


def test_strict_mode_has_no_timer_and_flushes_each_unmap():
    out = simulate(table([USUAL | {"strict": True}]))
    assert out["callback_count"][0] == out["iovas_drained_by_timer"][0] == out["softirq_residency_max_ms"][0] == 0
    assert out["iotlb_flushes"][0] == out["ops_completed"][0] / 2
