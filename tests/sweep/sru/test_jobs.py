"""Job files as they are written, and the probes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.sru import probes
from sweep.sru.jobs import MOST_SIZES, Job, job
from tests.sweep.capacity.standin import host
from workers.schema import ScenarioError

FIO = """\
[global]
; the device under test, which is only read; one copy of this file for each of the domains
; fs.aio-max-nr (65536 by default) must be 1024 or more
filename=/dev/nvme0n1
ioengine=libaio
direct=1
rw=randread
norandommap=1
bssplit=4k/70:128k/30
time_based=1
runtime=3600
group_reporting=1
[load]
numjobs=16
cpus_allowed=0-15
cpus_allowed_policy=split
iodepth=64
iodepth_batch_submit=10
iodepth_batch_complete_min=10
rate=42188800"""


def test_a_fio_job_has_the_scenario_s_sizes_jobs_depth_and_rate() -> None:
    assert job(host(iova_pages="1:0.7,32:0.3")) == Job("fio", FIO, pytest.approx(42188.8))
    assert "\nbs=64k\n" in job(host(iova_pages="16")).text
    assert job(host(iova_pages="16")).text.endswith("\nrate_iops=1000")
    assert "\ncpus_allowed=0\n" in job(host(cpus="1")).text


def shares(iova_pages: str) -> list[int]:
    return [int(share) for share in re.findall(r"k/(-?\d+)", job(host(iova_pages=iova_pages)).text)]


@given(weights=st.lists(st.floats(0.001, 1000), min_size=2, max_size=MOST_SIZES))
def test_shares_of_sizes_are_whole_add_up_and_are_those_of_the_load(weights: list[float]) -> None:
    found = shares(",".join(f"{size}:{weight!r}" for size, weight in enumerate(weights, 1)))
    assert sum(found) == 100
    assert min(found) >= 1
    exact = [100 * weight / sum(weights) for weight in weights]
    forced = sum(max(0.0, 1 - share) for share in exact)  # what sizes below one per cent take from the others
    assert all(-1 - forced < share - of < 1 for share, of in zip(found, exact, strict=True))


def test_shares_of_equal_sizes_are_as_good_as_equal() -> None:
    assert shares("1:0.001,2:0.333,4:0.333,8:0.333") == [1, 33, 33, 33]
    assert shares("1:0.9,2:0.1") == [90, 10]
    assert shares(",".join(map(str, range(1, 61)))) == [2] * 40 + [1] * 20


def test_more_sizes_than_fio_takes_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^iova_pages: 65 sizes were given for h; allowed are at most 64 in a"):
        job(host(iova_pages=",".join(map(str, range(1, 66)))))


def test_packets_of_a_page_are_for_pktgen() -> None:
    load = job(host(workload="pktgen_tx", unmap_burst="64", in_flight="1024"))
    text = load.text
    assert (load.tool, load.request_bytes) == ("pktgen", 1500)
    assert "ethtool -G $DEV tx 1024" in text
    assert "seq 0 15" in text
    assert "'ratep 15861'" in text
    assert job(host(workload="nic_tx_tso_100g")).tool == "fio"  # 8 pages: more than a packet


def test_probes_measure_by_cpu_and_balance_their_braces() -> None:
    for probe in (probes.CALLBACK, probes.STAY):
        assert probe.startswith("bpftrace -e '")
        assert probe.count("'") == 2
        assert probe.count("{") == probe.count("}") == 2
        assert "hist(" in probe
        assert "max(" in probe
        assert "[cpu]" in probe
        assert "tid" not in probe
