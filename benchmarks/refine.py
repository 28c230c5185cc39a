"""How much of a grid a refined search runs, and how much it gets wrong, against the grid run in full.

    python -m sweep +grid=large output=FULL
    python benchmarks/refine.py FULL/results.parquet [--seeds 3]

Nothing is simulated: the search is told what the table says. The issue's limits for grid=large: 25 % run, 0.5 % wrong.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from sweep.aggregate import with_rate
from sweep.config import AXIS_NAMES, RATE
from sweep.plan.grid import levels_of
from sweep.refine.lattice import lattice
from sweep.refine.search import CELLS, RUN, UNKNOWN, Search
from sweep.rounds import margins, verdict_codes


def axes_of(table: pl.DataFrame) -> dict[str, list]:
    """The axes of the grid that the rows are all combinations of, in its order; ValueError where they are not."""
    varying = [name for name in AXIS_NAMES if name in table.columns and table[name].n_unique() > 1]
    if table["active_cpus"].equals(table["cpus"]):
        varying = [name for name in varying if name != "active_cpus"]
    for follows in (RATE, "burst_period_us"):  # one of them was given, the other follows
        axes = {name: table[name].unique(maintain_order=True).to_list() for name in varying if name != follows}
        if table.select(*axes).rows() == list(itertools.product(*axes.values())):
            return axes
    raise ValueError("the rows are not all combinations of the values of some columns")


def main() -> int:
    """Prints a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    said = parser.parse_args()
    table = with_rate(pl.scan_parquet(said.results, glob=False)).collect()
    axes = axes_of(table)
    truth, distance = verdict_codes(table), margins(table, table["hz"].to_numpy())
    print(f"{table.height} cells: {', '.join(f'{len(values)} {name}' for name, values in axes.items())}")
    cells = lattice(levels_of(axes))
    for seed in range(said.seeds):
        started, search = time.perf_counter(), Search(cells, seed)
        rounds = []
        while len(numbers := search.ask()):
            search.tell(numbers, truth[numbers], distance[numbers])
            rounds.append(len(numbers))
        code, cell = search.answer()
        ran, unknown = (np.mean(cell == CELLS.index(name)) for name in (RUN, UNKNOWN))
        seconds = time.perf_counter() - started
        sizes = f"{len(rounds)} rounds of {min(rounds)} to {max(rounds)} cells"
        audit = f"{search.contradictions} of {search.audited} audited contradicted"
        shares = f"{ran:.2%} run, {np.mean(code != truth):.3%} wrong, {unknown:.3%} unknown"
        print(f"seed {seed}: {shares}; {sizes}; {audit}; {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
