"""Draws docs/closures.svg: the closures of the slices against the scalar twin, one operation at a time.

    python benchmarks/closures.py [OUT.svg]

The loads are those of tests/workers/slices/test_closures.py, run in slices, also where the model would follow them
event by event; loads that free nothing run as the model runs them. Prints what the dots and lines are; some six minutes
of a core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drawing import compare, file_to_write, save, ticks_at
from benchmarks.in_slices import LeftToEventsError, simulate
from tests.workers.scenarios import table
from tests.workers.slices import test_closures as loads
from workers import task
from workers.reference.run import simulate_columns
from workers.schema import Columns
from workers.slices import magazines

SEEDS = (1, 2, 3)
HIGH_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
CPUS = (2, 4, 8, 16, 32)
LOADS = (0.5, 0.8, 1.4)
PERIODS_US = (500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0)
DEPOT_CPUS = (8, 16)
HORIZONS_S = (0.18, 0.35, 0.7, 1.4)
BURSTS = {300: (1, 2, 4, 8, 16, 32), 1000: (1, 2, 4, 8, 16, 32), 2000: (1, 2, 4, 8, 16)}
SAYS = (
    "Six panels; lines are the model's closures, dots the scalar twin, one operation at a time. Share of 32-bit "
    "attempts that hit the cache against the share of high pfns freed: the two agree within 0.02. Flushes by full "
    "rings against CPUs: they agree for short bursts; for bursts of 2000 on 16 CPUs the closure makes 1.8 times too "
    "many. Wait for the lock against CPUs: they agree within 20 % from 8 CPUs on, the closure is twice as high on "
    "2. Mean callback against CPUs: within a factor of 2.2. Magazines overflowing in a callback against the rate of "
    "bursts, with and without what others will fetch: with it within 25 %. Maps that missed of loads that free nothing "
    "against the horizon, from what was seen in 0.18 s: within 6 %."
)

Measure = Callable[[Columns], np.ndarray]


def means(columns: Columns, measures: Sequence[Measure], run: Callable[[Columns], Columns]) -> list[np.ndarray]:
    """Each figure of the rows, mean over the seeds, which vary fastest; (rows / seeds,) each."""
    out = run(columns)
    return [measure(out).reshape(-1, len(SEEDS)).mean(1) for measure in measures]


def callback_in_requests(out: Columns) -> np.ndarray:
    """Mean finished callback, in requests of the loads' lock; (rows,)."""
    return out["callback_mean_ms"] * 1e6 / (loads.SERVICE_NS + loads.HANDOVER_NS)


def told(what: str, x: Sequence[float], closure: np.ndarray, real: np.ndarray) -> None:
    pairs = "; ".join(f"{at:g}: {c:.3g} / {r:.3g}" for at, c, r in zip(x, closure, real, strict=True))
    print(f"{what} (closure / twin): {pairs}", flush=True)


def poisoned(axis: Axes) -> None:
    for number, burst in enumerate((16, 64, 250)):
        real, closure = np.array([loads.hit_shares(burst, share, full=False) for share in HIGH_SHARES]).T
        told(f"hits, bursts of {burst}", HIGH_SHARES, closure, real)
        compare(axis, HIGH_SHARES, closure, real, f"C{number}", f"bursts of {burst}")
    axis.set(title="Poisoned magazines", xlabel="share of high pfns in what is freed")
    axis.set_ylabel("share of attempts that hit")
    axis.legend(frameon=False)


def queueing(waits: Axes, callbacks: Axes) -> None:
    columns = table([loads.lock_load(cpus, load, seed) for load in LOADS for cpus in CPUS for seed in SEEDS])
    measures = (loads.requests_ahead, callback_in_requests)
    real, closure = (means(columns, measures, run) for run in (simulate_columns, simulate))
    for axis, name, r, c in zip((waits, callbacks), ("wait", "callback"), real, closure, strict=True):
        for number, load in enumerate(LOADS):
            part = slice(number * len(CPUS), (number + 1) * len(CPUS))
            told(f"{name}, load {load:g}", CPUS, c[part], r[part])
            compare(axis, CPUS, c[part], r[part], f"C{number}", f"{100 * load:g} % asked for")
        axis.set(xscale="log", yscale="log", xlabel="CPUs")
        ticks_at(axis, CPUS)
    waits.set(title="Queueing: a newcomer's wait", ylabel="requests of the lock")
    callbacks.set(title="Queueing: the mean callback", ylabel="requests of the lock")
    waits.legend(frameon=False, title="of the lock's time", alignment="left")


def draining(axis: Axes) -> None:
    x = [1e6 / period for period in PERIODS_US]
    rows = [loads.small_depot(c, us, seed) for c in DEPOT_CPUS for us in PERIODS_US for seed in SEEDS]
    columns = loads.with_small_depots(rows)
    real, closure = (means(columns, [loads.overflowing], run)[0] for run in (simulate_columns, simulate))
    with patch.object(magazines, "foresee", lambda *_: None):
        blind = means(columns, [loads.overflowing], simulate)[0]
    for number, cpus in enumerate(DEPOT_CPUS):
        part = slice(number * len(x), (number + 1) * len(x))
        told(f"overflow, {cpus} CPUs", x, closure[part], real[part])
        told(f"overflow, {cpus} CPUs, without foresee", x, blind[part], real[part])
        compare(axis, x, closure[part], real[part], f"C{number}", f"{cpus} CPUs")
        axis.plot(x, blind[part], ":", color=f"C{number}")
    axis.set(xscale="log", ylim=(0, None), title="The drain against others' pops")
    axis.set(xlabel="bursts of 64 a second and CPU", ylabel="magazines to the tree, a callback")
    ticks_at(axis, x)
    axis.legend(frameon=False)


def flushing(axis: Axes) -> None:
    for number, (burst, cpus) in enumerate(BURSTS.items()):
        columns = table([loads.long_bursts(n, burst, seed) for n in cpus for seed in SEEDS])
        real, closure = (means(columns, [loads.flushes_of_rings], run)[0] for run in (simulate_columns, simulate))
        told(f"flushes, bursts of {burst}", cpus, closure, real)
        compare(axis, cpus, closure, real, f"C{number}", f"bursts of {burst}")
    axis.set(xscale="log", yscale="log", title="One flush releases everyone", xlabel="CPUs", ylabel="flushes a ms")
    ticks_at(axis, CPUS)
    axis.legend(frameon=False)


def growing_rare(axis: Axes) -> None:
    for number, (name, load) in enumerate(loads.FREE_NOTHING.items()):
        columns = table([load | {"horizon_s": s, "seed": seed} for s in HORIZONS_S for seed in SEEDS])
        real, closure = (means(columns, [loads.missed], run)[0] for run in (simulate_columns, task.simulate))
        told(f"misses, {name}", HORIZONS_S, closure, real)
        compare(axis, HORIZONS_S, closure / real[0], real / real[0], f"C{number}", name)
    axis.set(xscale="log", title="Misses grow rare", xlabel="horizon, s", ylabel="times those in 0.18 s")
    ticks_at(axis, HORIZONS_S)
    axis.legend(frameon=False)


def draw() -> Figure:
    figure = Figure(figsize=(7.2, 7.8), layout="constrained")
    axes = figure.subplots(3, 2).ravel()
    poisoned(axes[0])
    flushing(axes[1])
    queueing(axes[2], axes[3])
    draining(axes[4])
    growing_rare(axes[5])
    styles = {
        "closure": {"ls": "-"},
        "scalar twin, one operation at a time": {"ls": "", "marker": "o", "markersize": 3.5},
        "without what others will fetch": {"ls": ":"},
    }
    handles = [Line2D([], [], color="0.3", label=label, **style) for label, style in styles.items()]
    figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=3)
    return figure


if __name__ == "__main__":
    out = file_to_write("closures.svg", SAYS)
    try:
        save(draw, out, "Closures and the scalar twin", SAYS)
    except LeftToEventsError as left:
        sys.exit(str(left))
