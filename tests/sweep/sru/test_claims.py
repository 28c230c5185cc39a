"""Each claim is judged by what runs and constants say, and says otherwise when these do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sweep.sru.claims import CONFIRMED, CORRECTED, NOT_SHOWN, Claim, claims, depot
from sweep.sru.runs import BEFORE, BOTH, IDLE, OVERSIZE, PATCH_1, SPIKES, Measured, bins, scenarios
from tests.sweep.capacity.standin import LIBRARY, host
from workers.schema import RESULT_COLUMNS

SIZES = depot(LIBRARY.depot, 256)
_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}


def measured(**changes: dict) -> Measured:
    """All runs with results of zero, but for what is given of a label."""
    zero = {c.name: _ZERO[c.kind] for c in RESULT_COLUMNS}
    one = host(cpus="256", iova_pages="1,32", domains="2")
    rows = {label: {**scenario, **zero, **changes.get(label, {})} for label, scenario in scenarios(one).items()}
    return Measured(one, rows)


def judged(said: str, **changes: dict) -> Claim:
    (claim,) = [claim for claim in claims(measured(**changes), SIZES) if said in claim.said]
    return claim


def test_the_sizes_of_a_magazine_follow_from_the_policy() -> None:
    assert (SIZES.struct_bytes, SIZES.array["magazine_bytes"], SIZES.full_magazine_bytes) == (1032, 2048, 10_240)
    claim = judged("1024 bytes")
    assert claim.judgement == CORRECTED
    assert claim.runs == ()
    assert "10,240 in all" in claim.found


def test_the_tree_is_touched_after_34_magazines() -> None:
    assert SIZES.overflow_pfns == 4352
    claim = judged("two magazines", **{BEFORE: {"depot_magazines_peak": 32, "rbtree_erases": 1234}})
    assert claim.judgement == CONFIRMED
    assert "4,352 pfns of a bin, 18 full rings" in claim.found
    assert "1,234 IOVAs" in claim.found
    assert claim.runs == ("h/5.15",)
    other = replace(SIZES, array=SIZES.array | {"magazine_pfns": 127})
    assert next(c for c in claims(measured(), other) if "two magazines" in c.said).judgement == CORRECTED


def test_held_for_good_is_every_used_bin_of_every_domain() -> None:
    assert bins("1,32") == bins("17,1") == 2
    assert bins("64") == 0
    assert SIZES.held_bytes(measured()[BOTH]) == 256 * 10_240 * 2 * 2


@pytest.mark.parametrize(("hz", "period"), [("250", "12 to 16 ms"), ("1000", "10 to 11 ms"), ("100", "10 to 20 ms")])
def test_ten_milliseconds_are_what_the_timer_wheel_makes_of_them(hz: str, period: str) -> None:
    found = measured(**{BOTH: {"callback_count": 187, "hz": int(hz)}, IDLE: {"callback_count": 4}})
    claim = next(claims(found, SIZES))
    assert period in claim.found
    assert "187 callbacks" in claim.found
    assert "4 callbacks" in claim.found


def test_the_overflow_path_is_judged_by_frees_into_the_tree() -> None:
    def judgement(frees: int, before: int = 100) -> str:
        counted = {BEFORE: {"rbtree_erases": before}, PATCH_1: {"rbtree_erases": frees}}
        return judged("overflow path", **counted).judgement

    assert (judgement(3), judgement(100)) == (CONFIRMED, CORRECTED)
    assert (judgement(0), judgement(0, before=0), judgement(3, before=0)) == (CONFIRMED, NOT_SHOWN, CORRECTED)


def test_modest_is_judged_by_the_peak_after_a_spike() -> None:
    def claim(peak_bytes: int) -> Claim:
        spikes = {SPIKES[BEFORE]: {"memory_peak_bytes": 1 << 20}, SPIKES[BOTH]: {"memory_peak_bytes": peak_bytes}}
        return judged("modest", **spikes)

    assert claim(2 << 20).judgement == CONFIRMED
    assert "(+1 MiB)" in claim(2 << 20).found
    assert claim(1 << 30).judgement == CORRECTED


def test_the_worker_s_share_of_interrupts_off_and_the_oversize_run_are_told() -> None:
    changes = {
        SPIKES[PATCH_1]: {"irqs_off_max_ms": 2.0},
        SPIKES[BOTH]: {"irqs_off_max_ms": 5.0},
        OVERSIZE: {"verdict": "soft_lockup", "softirq_residency_max_ms": 2980.0},
    }
    claim = judged("soft lockups", **changes)
    assert "after a spike the longest span so is 5 ms, 2 ms without the worker" in claim.found
    assert "in 64 pages, with both patches: locks up, longest stay 2.98 s" in claim.found
    assert "h/oversize" in claim.runs


def test_reclaim_is_ten_magazines_a_second_down_to_the_cpus() -> None:
    claim = judged("converges", **{SPIKES[BOTH]: {"depot_reclaim_s": 25.4}})
    assert "10 magazines a second and bin: 25.4 s" in claim.found
    assert "(256) magazines" in claim.found
    assert "10 MiB stay for good" in claim.found
    assert claim.judgement == CORRECTED
    assert judged("converges", **{SPIKES[BOTH]: {"depot_reclaim_s": 0.3}}).judgement == CONFIRMED
