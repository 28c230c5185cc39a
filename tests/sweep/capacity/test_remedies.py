"""What each remedy changes in a scenario, and what it says without a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.capacity.remedies import REMEDIES, clamp, forcedac, passthrough, patch, strict
from sweep.capacity.remedies import patch_and_clamp as both
from sweep.capacity.remedies.remedy import ByRule, Changes, NoEffect
from tests.sweep.capacity.standin import host
from workers.schema import column, parse_iova_pages


def test_the_patch_is_the_list_of_the_same_magazines() -> None:
    assert patch.answer(host(kernel="5.15")) == Changes({"policy": "list"})
    assert patch.answer(host(kernel="6.1")) == Changes({"policy": "list_127"})
    assert patch.answer(host(kernel="6.12")) == NoEffect("6.12 has it already")


def test_switches_that_are_set_already_change_nothing() -> None:
    assert forcedac.answer(host()) == Changes({"dma32_first": False})
    assert isinstance(forcedac.answer(host(dma32_first="false")), NoEffect)
    assert strict.answer(host()) == Changes({"strict": True})
    assert isinstance(strict.answer(host(strict="true")), NoEffect)


def test_passthrough_is_answered_by_rule() -> None:
    assert isinstance(passthrough.answer(host()), ByRule)


@pytest.mark.parametrize(
    ("pages", "mix", "iovas"),
    [
        ("64", "32:1", 2.0),
        ("33", "1:0.5,32:0.5", 2.0),
        ("1024", "32:1", 32.0),
        ("1:0.5,64:0.5", "1:0.333333,32:0.666667", 1.5),
        ("32,40", "8:0.333333,32:0.666667", 1.5),
    ],
)
def test_a_clamped_request_is_whole_32_pages_and_the_rest(pages: str, mix: str, iovas: float) -> None:
    assert clamp.clamped(pages) == (mix, pytest.approx(iovas))


@given(st.dictionaries(st.integers(1, 2000), st.floats(0.1, 10), min_size=1, max_size=4))
def test_the_clamp_keeps_the_bytes(sizes: dict[int, float]) -> None:
    text = ",".join(f"{size}:{weight:.6g}" for size, weight in sizes.items())
    mix, iovas = clamp.clamped(text)
    (was, weights), (now, shares) = parse_iova_pages(text), parse_iova_pages(mix)
    assert max(now) <= 32
    pages_before = sum(size * weight for size, weight in zip(was, weights, strict=True))
    pages_after = iovas * sum(size * share for size, share in zip(now, shares, strict=True))
    assert pages_after == pytest.approx(pages_before, rel=1e-4)


def test_bursts_and_what_is_in_flight_grow_by_the_iovas_a_request() -> None:
    changes = clamp.answer(host(iova_pages="1:0.5,64:0.5"))
    assert isinstance(changes, Changes)
    assert (changes.columns["unmap_burst"], changes.columns["in_flight"]) == (15, 96)
    assert isinstance(clamp.answer(host(iova_pages="32")), NoEffect)


def test_no_more_is_in_flight_after_the_clamp_than_a_scenario_may_have() -> None:
    changes = clamp.answer(host(iova_pages="1024", in_flight="100000"))
    assert isinstance(changes, Changes)
    assert changes.columns["in_flight"] == column("in_flight").high < 32 * 100_000


def test_both_are_asked_where_both_change_something() -> None:
    answer = both.answer(host(iova_pages="64"))
    assert isinstance(answer, Changes)
    assert answer.columns == {"policy": "list", "iova_pages": "32:1", "unmap_burst": 20, "in_flight": 128}
    assert isinstance(both.answer(host(iova_pages="32")), NoEffect)
    assert isinstance(both.answer(host(iova_pages="64", kernel="6.12")), NoEffect)


def test_every_remedy_has_a_name_of_its_own() -> None:
    names = [remedy.name for remedy in REMEDIES]
    assert len(set(names)) == len(names) == 6
