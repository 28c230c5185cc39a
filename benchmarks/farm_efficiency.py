"""How much of the CPUs' time the farm gives to the model, and how it compares with two processes without Ray.

    python -m benchmarks.farm_efficiency [--seconds 60] [--model]

Efficiency: time in the model over workers x time from the first task's start to the last chunk's commit. The stand-in
takes as much CPU time as the farm expects of the model; ``--model`` runs the model itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sweep.compose import compose
from sweep.plan import windows
from sweep.run import plan_of
from tests.sweep.standin import simulate as stand_in
from workers.schema import Columns
from workers.task import estimate_seconds

ROOT = Path(__file__).parents[1]
WORKERS, LEAST_EFFICIENCY = 2, 0.97
GRID = ("+grid=small", "grid.horizon_s=1")
STAND_IN = """
import functools, runpy
import sweep.run
from benchmarks.farm_efficiency import busy
sweep.run.run = functools.partial(sweep.run.run, simulate=busy)
runpy.run_module("sweep", run_name="__main__", alter_sys=False)
"""


def busy(scenarios: Columns) -> Columns:
    """Results of the stand-in, after the CPU time that the farm expects of the model."""
    until = time.thread_time() + estimate_seconds(scenarios).sum()
    while time.thread_time() < until:
        pass
    return stand_in(scenarios)


def seeds_for(seconds: float) -> int:
    """How many seeds of GRID take ``seconds`` on WORKERS, as estimated."""
    composed = compose(list(GRID))
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    once_s = sum(estimate_seconds(plan.rows(numbers)).sum() for numbers in windows(len(plan)))
    return WORKERS * max(1, round(seconds / once_s))


def start(folder: Path, model: bool, seeds: range, *more: str) -> subprocess.Popen[bytes]:
    """A sweep over some seeds of GRID, with a store of its own."""
    program = ["-m", "sweep"] if model else ["-c", STAND_IN]
    grid = [*GRID, f"grid.seed={{start: {seeds.start}, stop: {seeds.stop - 1}, num: {len(seeds)}}}"]
    argv = [sys.executable, *program, *grid, f"output={folder}", f"store={folder}-store", *more]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL)


def finished(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Its manifest, when it is done."""
    if process.wait():
        raise SystemExit(f"a sweep ended with {process.returncode}")
    return json.loads((folder / "manifest.json").read_text())


def rate(manifest: dict[str, Any]) -> float:
    """Points/s from the first task's start to the last chunk's commit."""
    return manifest["scenarios"] / manifest["tasks"]["span_s"]


def main() -> int:
    """Runs the benchmark; returns 1 where the farm is not efficient enough."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", action="store_true")
    options = parser.parse_args()
    seeds = seeds_for(options.seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        farm = finished(folder / "farm", start(folder / "farm", options.model, range(seeds), f"cluster.cpus={WORKERS}"))
        parts = [range(seeds * i // WORKERS, seeds * (i + 1) // WORKERS) for i in range(WORKERS)]
        inline = [
            (folder / f"{i}", start(folder / f"{i}", options.model, part, "executor=inline"))
            for i, part in enumerate(parts)
        ]
        alone = sum(rate(finished(*one)) for one in inline)
    tasks = farm["tasks"]
    print(f"{farm['scenarios']:,} points in {tasks['chunks']} chunks, {tasks['span_s']:.1f} s on {WORKERS} workers")
    print(f"efficiency: {tasks['efficiency']:.1%} of {WORKERS} x that went into the model")
    print(f"farm: {rate(farm):,.0f} points/s; {WORKERS} inline processes: {alone:,.0f}; ratio {rate(farm) / alone:.1%}")
    return int(tasks["efficiency"] < LEAST_EFFICIENCY)


if __name__ == "__main__":
    sys.exit(main())
