"""Ten million scenarios with a stub in place of the model: what the farm itself takes.

    python -m benchmarks.farm_scale --folder DIR [--rows 10000000]

Prints how long after Ray's start the first task began, the time of each stage and the most memory of the driver in it.
Once more with the same folder it shows what re-using takes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from sweep import THREADS

os.environ.update(THREADS)  # as ``python -m sweep`` does, before numpy and polars are imported

import numpy as np

from sweep.compose import compose
from sweep.run import run
from workers.schema import RESULT_COLUMNS, Columns

FIRST_TASK_S, DRIVER_MIB = 10, 1024
"""What the farm promises: at most."""

_ZERO = {str: "ok", bool: False, int: 0, float: 0.0}


def stub(scenarios: Columns) -> Columns:
    """Results at once: a few that differ from row to row, verdicts by the load."""
    rows = len(scenarios["cpus"])
    results = {c.name: np.full(rows, _ZERO[c.kind], object if c.kind is str else c.kind) for c in RESULT_COLUMNS}
    load = scenarios["cpus"] * scenarios["unmap_burst"] / scenarios["burst_period_us"]
    results["verdict"] = np.where(load > 50, "soft_lockup", np.where(load > 10, "chained", "ok")).astype(object)
    results["callback_max_ms"] = load + scenarios["seed"] % 1000
    results["memory_peak_bytes"] = scenarios["cpus"] << 16
    return results


def grid(rows: int) -> list[str]:
    """Overrides of a grid of that many scenarios, in steps of 2,000."""
    return [
        "+grid=smoke", "grid.horizon_s=0.001",  # estimated to take no time, so in the largest chunks
        "grid.burst_period_us=null", "grid.unmap_rate_per_s={start: 1000, stop: 1e5, num: 10, scale: log}",
        "grid.cpus=[8,16,32,64,128]", "grid.iova_pages=[1,8,32,64]", "grid.in_flight=[64,128,256,512,1024]",
        f"grid.seed={{start: 0, stop: {rows // 2000 - 1}, num: {rows // 2000}}}",
    ]  # fmt: skip


class Memory:
    """The most resident memory of this process, watched by a thread: (time, MiB)."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page / 2**20
            self.seen.append((time.monotonic(), resident))
            time.sleep(0.1)

    def most(self, first: float, last: float) -> float:
        """MiB between two times."""
        return max((mib for at, mib in self.seen if first <= at <= last), default=0.0)


def main() -> int:
    """Runs the benchmark; returns 1 where a promise is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    output = options.folder / f"out-{time.time():.0f}"
    composed = compose([*grid(options.rows), f"output={output}", f"store={options.folder / 'store'}"])
    assert composed is not None
    memory, started = Memory(), time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        run(composed.config, composed.library, [], stub)
    written = json.loads((output / "manifest.json").read_text())
    print(f"{written['scenarios']:,} scenarios, {written['reused']:,} re-used; tasks: {written['tasks']}")
    for stage, seconds in written["durations_s"].items():
        if stage not in ("model", "total"):
            print(f"{stage}: {seconds:.1f} s, at most {memory.most(started, started + seconds):.0f} MiB")
            started += seconds
    most, first = memory.most(0, time.monotonic()), written["tasks"].get("first_after_s", 0)
    print(f"driver: at most {most:.0f} MiB; first task {first:.1f} s after Ray's start")
    return int(most > DRIVER_MIB or first > FIRST_TASK_S)


if __name__ == "__main__":
    sys.exit(main())
