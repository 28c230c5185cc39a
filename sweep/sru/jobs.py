"""How to put a scenario's load on a real machine: a fio job file, or a pktgen script for packets of up to a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweep.capacity.fleet import HostClass
from sweep.plan.rate import rate_per_s
from workers.results import PAGE_BYTES
from workers.schema import ScenarioError, parse_iova_pages

PAGE_KIB = PAGE_BYTES // 1024
RUNTIME_S = 3600
"""An hour: soft lockups of public reports came within that."""

PACKETS = ("nic_", "pktgen")
"""Workloads whose names begin so are of network cards."""


PACKET_BYTES = 1500
MOST_SIZES = 64
"""In one bssplit: fio's BSSPLIT_MAX."""


@dataclass(frozen=True)
class Job:
    """``tool``: fio or pktgen; ``text``: its file; ``request_bytes``: the mean of what one request or packet moves."""

    tool: str
    text: str
    request_bytes: float


def job(host: HostClass) -> Job:
    """How to put the load on a machine; raises ScenarioError where fio cannot be told."""
    sizes, _ = parse_iova_pages(host.scenario["iova_pages"])
    if len(sizes) > MOST_SIZES:
        raise ScenarioError(
            f"iova_pages: {len(sizes)} sizes were given for {host.name}; allowed are at most {MOST_SIZES} in a fio job"
        )
    if host.workload.startswith(PACKETS) and max(sizes) == 1:
        return Job("pktgen", pktgen(host.scenario), PACKET_BYTES)
    return Job("fio", fio(host.scenario), _mean_bytes(host.scenario))


def _mean_bytes(scenario: Mapping[str, Any]) -> float:
    sizes, weights = parse_iova_pages(scenario["iova_pages"])
    return PAGE_BYTES * sum(size * weight for size, weight in zip(sizes, weights, strict=True))


def fio(scenario: Mapping[str, Any]) -> str:
    """A job file: one job a CPU that maps, the depth what it has in flight, reaped in bursts."""
    burst, active = scenario["unmap_burst"], scenario["active_cpus"]
    lines = [
        "[global]",
        "; the device under test, which is only read; one copy of this file for each of the domains",
        f"; fs.aio-max-nr (65536 by default) must be {active * scenario['in_flight'] * scenario['domains']} or more",
        "filename=/dev/nvme0n1",
        "ioengine=libaio",
        "direct=1",
        "rw=randread",
        "norandommap=1",
        _sizes(scenario["iova_pages"]),
        "time_based=1",
        f"runtime={RUNTIME_S}",
        "group_reporting=1",
        "[load]",
        f"numjobs={active}",
        f"cpus_allowed=0-{active - 1}" if active > 1 else "cpus_allowed=0",
        "cpus_allowed_policy=split",
        f"iodepth={scenario['in_flight']}",
        f"iodepth_batch_submit={burst}",
        f"iodepth_batch_complete_min={burst}",
        _rate(scenario),
    ]
    return "\n".join(lines)


def _rate(scenario: Mapping[str, Any]) -> str:
    """What a job is held to: requests a second for one size; bytes for several, as fio counts the smallest of them."""
    per_s = rate_per_s(scenario)
    if len(parse_iova_pages(scenario["iova_pages"])[0]) == 1:
        return f"rate_iops={max(1, round(per_s))}"
    return f"rate={max(1, round(per_s * _mean_bytes(scenario)))}"


def _sizes(iova_pages: str) -> str:
    """bs for one size, bssplit in whole per cents, at least one each, for several."""
    sizes, weights = parse_iova_pages(iova_pages)
    if len(sizes) == 1:
        return f"bs={sizes[0] * PAGE_KIB}k"
    shares = [1] * len(sizes)
    for _ in range(100 - len(sizes)):  # one by one to what lacks most, so each is within one of its weight, or is 1
        lacking = [100 * weight - share for weight, share in zip(weights, shares, strict=True)]
        shares[lacking.index(max(lacking))] += 1
    split = ":".join(f"{size * PAGE_KIB}k/{share}" for size, share in zip(sizes, shares, strict=True))
    return f"bssplit={split}"


def pktgen(scenario: Mapping[str, Any]) -> str:
    """A shell script: a kernel thread a CPU, each with a queue of its own; the ring holds what is in flight."""
    return "\n".join(
        (
            "#!/bin/sh -e",
            "# DEV: the card under test, with a queue a CPU; MAC: where packets may go",
            "DEV=eth0 MAC=00:00:00:00:00:00",
            "modprobe pktgen",
            f"ethtool -G $DEV tx {scenario['in_flight']}",
            f"for cpu in $(seq 0 {scenario['active_cpus'] - 1}); do",
            "    echo rem_device_all > /proc/net/pktgen/kpktgend_$cpu",
            "    echo add_device $DEV@$cpu > /proc/net/pktgen/kpktgend_$cpu",
            f"    for set in 'count 0' 'clone_skb 0' 'pkt_size {PACKET_BYTES}' \\",
            f'        \'ratep {max(1, round(rate_per_s(scenario)))}\' "queue_map_min $cpu" "queue_map_max $cpu" \\',
            '        "dst_mac $MAC"; do',
            "        echo $set > /proc/net/pktgen/$DEV@$cpu",
            "    done",
            "done",
            f"timeout {RUNTIME_S} sh -c 'echo start > /proc/net/pktgen/pgctrl' || echo stop > /proc/net/pktgen/pgctrl",
        )
    )
