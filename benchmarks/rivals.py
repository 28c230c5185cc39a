"""What else runs a case of a truth file, and how long it takes: the reference machine and the scalar twin."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.truth import Case, TruthError, by_scenario, columns
from workers.reference.machine import simulate
from workers.schema import parse_iova_pages

PROGRAMS = {"array": "vsim-5.15", "list": "vsim-5.15fix"}
"""Of the reference machine, by policy."""


def machine_seconds(folder: Path, case: Case) -> float:
    """CPU time of the reference machine on a case of PROGRAMS' policies; says where it counts other operations than
    the file. Raises TruthError where it does not run."""
    s = case.scenario
    given = {
        "ncpu": s["cpus"], "active": s["active_cpus"], "burst": s["unmap_burst"], "period_us": s["burst_period_us"],
        "wset": s["in_flight"], "sizes": ",".join(map(str, parse_iova_pages(s["iova_pages"])[0])),
        "phase": int(s["phase"] == "random"), "sac": int(s["dma32_first"]), "cross": s["free_cpu_shift"],
        "hz": s["hz"], "visit": s["rb_visit_ns"], "hand": s["lock_handover_ns"], "fqer": s["fq_entry_remote_ns"],
        "flush": s["iotlb_flush_ns"], "ms": 1e3 * s["horizon_s"], "lim_ms": 1e9, "seed": s["seed"],
    }  # fmt: skip
    program = folder.resolve() / PROGRAMS[case.policy]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        argv = [str(program), *(f"{name}={value}" for name, value in given.items())]
        ops = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["ops"]
    except (OSError, ValueError, LookupError, subprocess.CalledProcessError) as error:
        raise TruthError(f"--machine: {program} does not run ({error.__class__.__name__})") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if case.seeds[0].get("ops_completed", ops) != ops:
        print(f"{s['id']} {case.policy}: {ops:,} operations, not as in the truth file", file=sys.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def twin_seconds(case: Case) -> float:
    """CPU time of the scalar twin on a case."""
    row = {name: values.tolist()[0] for name, values in columns([case]).items()}
    started = time.process_time()
    simulate(row, row)
    return time.process_time() - started


def median_scenario(cases: list[Case]) -> list[Case]:
    """The cases of the scenario whose nominal operations are the median."""
    groups = [[cases[i] for i in group] for group in by_scenario(cases)]
    groups.sort(key=lambda g: g[0].scenario["active_cpus"] * _ops(g[0].scenario))
    return groups[len(groups) // 2]


def _ops(scenario: dict[str, float]) -> float:
    return scenario["unmap_burst"] / scenario["burst_period_us"] * scenario["horizon_s"]
