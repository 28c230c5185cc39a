"""A trace written from a known scenario comes back: rates and sizes within 5 %, in flight within 10 %."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.config import RATE
from sweep.workload.estimate import HIGH, LOW, Estimate, estimate
from sweep.workload.measure import measure
from tests.sweep.workload.recorded import Load, events, text
from workers.schema import parse_iova_pages

FORMS = ("perf", "perf-ns", "ftrace", "ftrace6", "trace-cmd")


def back(load: Load, seconds: float, form: str, folder: Path, seed: int = 0) -> Estimate:
    """What is made of a recording of the load."""
    path = folder / "trace.txt"
    path.write_text(text(events(load, seconds, seed), form))
    measured = measure(str(path))
    assert (measured.seen.damaged, measured.seen.others, measured.seen.lost) == (0, 0, 0)
    return estimate(measured, str(path))


def check(load: Load, found: Estimate) -> None:
    """Rates and sizes within 5 %, in flight within 10 % (or one IOVA)."""
    rate = found.value("unmap_burst") / found.value("burst_period_us")
    assert rate == pytest.approx(load.burst / load.period_us, rel=0.05)
    assert found.value("in_flight") == pytest.approx(load.in_flight, rel=0.1, abs=1)
    sizes, weights = parse_iova_pages(str(found.figures["iova_pages"].value))
    assert sizes == load.sizes
    assert weights == pytest.approx([weight / sum(load.weights) for weight in load.weights], abs=0.05)
    mean = sum(size * weight for size, weight in zip(load.sizes, load.weights, strict=True)) / sum(load.weights)
    assert sum(s * w for s, w in zip(sizes, weights, strict=True)) == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("form", FORMS)
def test_every_format(form: str, tmp_path: Path) -> None:
    load = Load(cpus=4, sizes=(1, 32, 64), weights=(0.5, 0.3, 0.2), burst=32, period_us=4000, in_flight=96, shift=3)
    found = back(load, 0.25, form, tmp_path)
    check(load, found)
    assert found.value("unmap_burst") == pytest.approx(32, rel=0.05)
    assert found.value("burst_period_us") == pytest.approx(4000, rel=0.05)
    assert (found.value("active_cpus"), found.value("free_cpu_shift"), found.value("domains")) == (4, 3, 1)
    assert {found.figures[name].confidence for name in ("unmap_burst", "in_flight", "free_cpu_shift")} == {HIGH}
    assert found.warnings == []
    cpus = found.figures["cpus"]
    assert (cpus.value, cpus.confidence) == ((96, HIGH) if form in ("ftrace", "trace-cmd") else (4, LOW))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    cpus=st.integers(1, 4),
    burst=st.integers(1, 24),
    spare_us=st.floats(20, 5000),
    depth=st.floats(2.5, 5),  # so that nothing is unmapped before it is mapped, however early and late bursts are
    sizes=st.sampled_from([(1,), (32,), (8, 64), (1, 2, 1024)]),
    shift=st.integers(0, 4),
    pieces=st.sampled_from([1, 3]),
    jitter=st.floats(0, 0.2),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 9),
)
def test_any_scenario(
    cpus: int,
    burst: int,
    spare_us: float,
    depth: float,
    sizes: tuple[int, ...],
    shift: int,
    pieces: int,
    jitter: float,
    form: str,
    seed: int,
    tmp_path: Path,
) -> None:
    load = Load(
        cpus=cpus, sizes=sizes, weights=(1.0,) * len(sizes), burst=burst, period_us=3 * burst + spare_us,
        in_flight=int(burst * depth) + 1, shift=shift % cpus, pieces=pieces, jitter=jitter,
    )  # fmt: skip
    bursts = max(40, 2000 // (burst * cpus))
    found = back(load, bursts * load.period_us / 1e6, form, tmp_path, seed)
    mean = burst / load.period_us
    assert found.value(RATE) == pytest.approx(1e6 * mean, rel=0.05)
    assert found.value("unmap_burst") / found.value("burst_period_us") == pytest.approx(mean, rel=0.05)
    kept = load.in_flight - burst * min(1.0, 1.2 * burst / load.period_us)  # while a burst lasts some are unmapped
    assert kept * 0.9 - 1 <= found.value("in_flight") <= load.in_flight * 1.1 + 1
    assert parse_iova_pages(str(found.figures["iova_pages"].value))[0] == load.sizes
    assert found.value("free_cpu_shift") == load.shift
    assert found.value("active_cpus") == cpus
    assert found.value("domains") == 1
    assert not [warning for warning in found.warnings if "domain" in warning]


@pytest.mark.parametrize("seconds", [0.05, 0.115])  # of the last unmaps all, or half, are of IOVAs mapped before
def test_a_recording_that_hardly_outlasts_a_mapping_says_at_least(seconds: float, tmp_path: Path) -> None:
    found = back(Load(burst=4, period_us=1000, in_flight=400), seconds, "perf", tmp_path)
    figure = found.figures["in_flight"]
    assert figure.confidence == LOW
    assert figure.why.startswith("at least; ")
    assert "record for longer" in figure.why


def test_several_domains_are_never_merged_in_silence(tmp_path: Path) -> None:
    found = back(Load(cpus=2, domains=3), 0.2, "ftrace", tmp_path)
    (warning,) = (warning for warning in found.warnings if "domains" in warning)
    assert "at least 2 IOMMU domains" in warning or "at least 3 IOMMU domains" in warning
    named = ("active_cpus", "iova_pages", "unmap_burst", "burst_period_us", "in_flight", "domains")
    assert {found.figures[name].confidence for name in named} == {LOW}
    assert all("domains" in found.figures[name].why for name in named[:-1])
