"""Draws docs/walks.svg: allocations' walks, by the closure (workers/slices/rbtree.py) and in a brute-force row.

    python benchmarks/walks.py [OUT.svg]

The slots and the closure's loop are those of tests/workers/slices/test_rbtree.py; the figure is the same at every run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drawing import compare, file_to_write, save, ticks_at
from tests.workers.slices.test_rbtree import Slots, modelled

NODES = 1000
SEEDS = (1, 2)
FREE = {False: (0, 40, 200, 1000), True: (40, 200, 1000)}
NUMBERS = (4, 8, 16, 32, 64, 128, 256)
MOST_SHUFFLED = 128  # more, in random order, could ask for a slot where none is free
TITLES = {False: "all frees first, then the allocations", True: "frees and allocations in random order"}
SAYS = (
    "Nodes passed by an allocation against frees a cycle, by the closure (lines) and in a row of slots (dots), for "
    "0 to 1000 slots free beforehand. They agree where many IOVAs change. Where half of the slots are free and few "
    "change, the closure is too low with all frees first, and too high in random order."
)


def walks(free: int, number: int, shuffled: bool) -> tuple[float, float]:
    """Nodes passed an allocation: in the row of slots, and by the closure."""
    real = float(np.mean([Slots(NODES, free, seed).passed_a_cycle(number, shuffled) for seed in SEEDS]))
    return real / number, modelled(NODES, free, number, shuffled) / number


def draw() -> Figure:
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, shuffled in zip(axes, (False, True), strict=True):
        numbers = [n for n in NUMBERS if not shuffled or n <= MOST_SHUFFLED]
        for free in FREE[shuffled]:
            real, model = zip(*(walks(free, number, shuffled) for number in numbers), strict=True)
            compare(axis, numbers, model, real, f"C{FREE[False].index(free)}", f"{free} slots free beforehand")
        axis.set(xscale="log", yscale="log", title=TITLES[shuffled], xlabel="frees (and allocations) a cycle")
        ticks_at(axis, numbers)
    axes[0].set_ylabel(f"nodes passed an allocation, of {NODES}")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[1].legend(handles, labels, frameon=False, title="lines: closure; dots: slots", alignment="left")
    return figure


if __name__ == "__main__":
    save(draw, file_to_write("walks.svg", SAYS), "How far allocations walk", SAYS)
