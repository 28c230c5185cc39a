"""When each CPU's first burst comes: the numbers the reference machine would draw for the same seed.

A seed then means the same to the model, the scalar twin and the machine, which removes one source of difference
between them: with few CPUs the phases decide how often the timer is armed.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from workers import xorshift

ALIGNED_SPREAD_NS = 10_000.0
"""The first bursts of ``phase=aligned`` come within it, random ones within a burst period."""


def uniform_phases(seed: np.ndarray, active: np.ndarray, sizes_drawn: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each active CPU, those of one scenario behind those of the one before: the draws after
    those of the initial fill, in the CPUs' first turns.

    ``seed`` uint64, ``active`` CPUs and ``sizes_drawn`` by the fill (workers.mixes), both int64: shapes (scenarios,).
    """
    state = xorshift.jump(xorshift.seeded(seed), sizes_drawn)
    first = np.cumsum(active) - active
    out = np.zeros(int(active.sum()))
    order = [_first_turns(cpus) for cpus in active.tolist()]
    for turn in range(int(active.max(initial=0))):
        mine = np.flatnonzero(active > turn)
        state[mine] = xorshift.step(state[mine])
        out[first[mine] + np.array([order[scenario][turn] for scenario in mine])] = xorshift.uniform(state[mine])
    return out


@cache
def _first_turns(cpus: int) -> tuple[int, ...]:
    """The order in which ``cpus`` CPUs, all at clock 0, get their first turn: CPU 0, then a binary heap's ties."""
    clock = [0] * cpus
    heap: list[int] = []

    def push(cpu: int) -> None:
        heap.append(cpu)
        i = len(heap) - 1
        while i and clock[heap[(i - 1) // 2]] > clock[cpu]:
            heap[i] = heap[(i - 1) // 2]
            i = (i - 1) // 2
        heap[i] = cpu

    def pop() -> int:
        top, last = heap[0], heap.pop()
        i = 0
        while 2 * i + 1 < len(heap):
            k = 2 * i + 1
            if k + 1 < len(heap) and clock[heap[k + 1]] < clock[heap[k]]:
                k += 1
            if clock[heap[k]] >= clock[last]:
                break
            heap[i] = heap[k]
            i = k
        if heap:
            heap[i] = last
        return top

    for cpu in range(1, cpus):
        push(cpu)
    order, cpu = [0], 0
    while len(order) < cpus:
        clock[cpu] = 1
        push(cpu)
        cpu = pop()
        order.append(cpu)
    return tuple(order)
