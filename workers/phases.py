"""When each CPU's first burst comes: the numbers the reference machine would draw for the same seed.

A seed then means the same to the model, the scalar twin and the machine, which removes one source of difference
between them: with few CPUs the phases decide how often the timer is armed.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from workers import xorshift
from workers.params import Params


def uniform_phases(p: Params) -> np.ndarray:
    """A number in [0, 1) for each row: the draws after the size draws of the initial fill, in the CPUs' first turns."""
    drawn = np.where(p.draws_sizes, p.in_flight * p.active, 0.0).astype(np.int64)
    state = xorshift.jump(xorshift.seeded(p.seed), drawn)
    out = np.zeros(len(p.row_lane))
    order = [_first_turns(int(a)) for a in p.active]
    for turn in range(int(p.active.max(initial=0))):
        lanes = np.flatnonzero(p.active > turn)
        state[lanes] = xorshift.step(state[lanes])
        rows = p.first_row[lanes] + np.array([order[lane][turn] for lane in lanes])
        out[rows] = xorshift.uniform(state[lanes])
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
