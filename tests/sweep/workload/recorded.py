"""Traces as a machine would record them, from a scenario: a small simulation of CPUs that map and unmap."""

from __future__ import annotations

import functools
import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAGE = 4096
TOP = 1 << 32


@dataclass(frozen=True)
class Load:
    """What is recorded: the columns of a scenario, and how regular it is.

    ``pieces``: maps of a scatterlist each IOVA is made of, at most; ``jitter``: share of the period by which a burst
    comes early or late; ``domains``: each with CPUs and addresses of its own that overlap the others'.
    """

    cpus: int = 4
    sizes: tuple[int, ...] = (1,)
    weights: tuple[float, ...] = (1.0,)
    burst: int = 8
    period_us: float = 1000.0
    in_flight: int = 32
    shift: int = 0
    pieces: int = 1
    jitter: float = 0.1
    domains: int = 1
    first_cpu: int = 0


Event = tuple[int, int, bool, int, int]  # ns, CPU, unmap, first byte, bytes


@functools.cache
def events(load: Load, seconds: float, seed: int = 0) -> tuple[Event, ...]:
    """The events in order. It runs before it is recorded, so the first unmaps are of IOVAs nobody saw mapped."""
    found: list[Event] = []
    for domain in range(load.domains):
        part = Load(**(vars(load) | {"domains": 1, "first_cpu": load.first_cpu + domain * load.cpus}))
        found += _domain(part, seconds, np.random.default_rng((seed, domain)))
    return tuple(sorted(found))


def _domain(load: Load, seconds: float, random: np.random.Generator) -> list[Event]:
    free: dict[int, list[tuple[int, int]]] = {}  # of a size: from when on, where
    queues: list[deque[tuple[int, int]]] = [deque() for _ in range(load.cpus)]
    top, out = TOP, []
    shares = np.array(load.weights) / sum(load.weights)
    lead_ns = int(1e3 * load.period_us * (2 + load.in_flight / load.burst))

    def place(size: int, now: int) -> int:
        nonlocal top
        if free.get(size) and free[size][0][0] < now:
            return heapq.heappop(free[size])[1]
        top -= size * PAGE
        return top

    def map_one(now: int, cpu: int) -> None:
        size = int(random.choice(load.sizes, p=shares))
        iova = place(size, now)
        cuts = sorted({0, *random.integers(0, size, random.integers(0, load.pieces)).tolist()})
        for number, (first, after) in enumerate(zip(cuts, [*cuts[1:], size], strict=True)):
            out.append((now + number, load.first_cpu + cpu, False, iova + first * PAGE, (after - first) * PAGE))
        queues[(cpu + load.shift) % load.cpus].append((iova, size))

    for cpu in range(load.cpus):
        for _ in range(load.in_flight):
            map_one(0, cpu)
    waiting: list[tuple[int, int]] = []
    for cpu in range(load.cpus):
        heapq.heappush(waiting, (int(random.uniform(0, 1e3 * load.period_us)), cpu))
    while waiting[0][0] < lead_ns + 1e9 * seconds:
        now, cpu = heapq.heappop(waiting)
        at = now + int(random.uniform(-load.jitter, load.jitter) * 1e3 * load.period_us)
        for _ in range(min(load.burst, len(queues[cpu]))):
            at += int(random.uniform(300, 900))
            iova, size = queues[cpu].popleft()
            out.append((at, load.first_cpu + cpu, True, iova, size * PAGE))
            heapq.heappush(free.setdefault(size, []), (at, iova))
        for _ in range(load.burst):
            at += int(random.uniform(300, 900))
            map_one(at, cpu)
        heapq.heappush(waiting, (now + int(1e3 * load.period_us), cpu))
    return [event for event in out if lead_ns <= event[0] < lead_ns + 1e9 * seconds]


def text(found: Sequence[Event], form: str) -> str:
    """The trace: ``perf`` (5.15), ``perf-ns`` (6.x), ``ftrace`` (5.15), ``ftrace6`` (6.x) or ``trace-cmd``."""
    new = form in ("perf-ns", "ftrace6", "trace-cmd")
    head = {
        "perf": "fio job 1  4242 [{cpu:03d}] {s}.{us:06d}:          iommu:{what}: {said}",
        "perf-ns": "kworker/3:1-eve  142/142   [{cpu:03d}]  {s}.{ns:09d}: iommu:{what}: {said}",
        "ftrace": "           <idle>-0       [{cpu:03d}] d.s2 {s}.{us:06d}: {what}: {said}",
        "ftrace6": "           <...>-1234    (-------) [{cpu:03d}] d..1.  {s}.{us:06d}: {what}: {said}",
        "trace-cmd": "          fio-8123  [{cpu:03d}]  {s}.{ns:09d}: {what}:                IOMMU: {said}",
    }[form].replace("IOMMU: {said}", "{said}")
    lines = {"ftrace": ["# tracer: nop", "#", "# entries-in-buffer/entries-written: 9/9   #P:96", "#"]}.get(form, [])
    lines = [*lines, "cpus=96"] if form == "trace-cmd" else lines
    for time_ns, cpu, unmap, iova, size in found:
        where = f"iova=0x{iova:016x}" + (f" - 0x{iova + size:016x}" if new else "")
        said = f"size={size} unmapped_size={size}" if unmap else f"paddr=0x{iova ^ 0x7000000:016x} size={size}"
        second, nano = divmod(time_ns + 5_000_000_000, 1_000_000_000)
        what = "unmap" if unmap else "map"
        lines.append(head.format(cpu=cpu, s=second, us=nano // 1000, ns=nano, what=what, said=f"IOMMU: {where} {said}"))
    return "\n".join(lines) + "\n"
