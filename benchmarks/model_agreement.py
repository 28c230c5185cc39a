"""The vectorized model against the reference machine: classes, figures, slices, the worst rows, and the speed.

    python benchmarks/model_agreement.py TRUTH.jsonl [--rows N] [--sizes one|mixed|all] [--jobs 2] [--write]

TRUTH is described in benchmarks/truth.py; tests/data/truth_rows.jsonl is a small one. A scenario under a policy is one
row. How rows are judged is in benchmarks/agreement.py; "chained" are the rows in which no seed stays below the re-arm
period. Figures that the file does not hold are left out. ``--write`` keeps the shares in conf/agreement.json, from
where reports quote them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.agreement import (
    BIAS_TARGET,
    CHAINED_CLASS_TARGET,
    CLASS_TARGET,
    FIGURES,
    PAIR_TARGET,
    RESIDENCY,
    SLICE_TARGET,
    SLICES,
    TARGETS,
    Agreement,
    judge,
    page_sizes,
)
from benchmarks.truth import Case, TruthError, by_scenario, check_rows, columns, read_cases, spread
from workers import MODEL_VERSION
from workers.schema import Columns
from workers.task import simulate

KEPT = Path(__file__).parents[1] / "conf" / "agreement.json"
WORST = 10


class Finding(NamedTuple):
    """A share of rows (nan where there are none) beside what is asked for, and what else to say of it."""

    name: str
    share: float
    rows: int
    asked: float
    more: str = ""

    @property
    def met(self) -> bool:
        return bool(np.isnan(self.share) or self.share >= self.asked)

    @property
    def measured(self) -> str:
        return "no rows" if np.isnan(self.share) else f"{100 * self.share:.1f} % of {self.rows}"

    @property
    def text(self) -> str:
        share = self.measured if np.isnan(self.share) else f"{100 * self.share:5.1f} % of {self.rows:4d}"
        asked = "" if np.isnan(self.share) else f", asked {100 * self.asked:.0f} %"
        return f"{self.name:46s} {share}{asked}{'' if self.met else '  missed'}{self.more}"


def report(cases: list[Case], results: Columns) -> str:
    """The comparison as text: classes, figures, slices, worst rows."""
    a = judge(cases, results)
    parts = (
        [*(found.text for found in classes(cases, a)), *_confusion(a)],
        [*(found.text for found in figures(a)), *_bias(a)],
        [found.text for found in slices(cases, a)],
        [_worst(cases, results, a)],
    )
    return "\n\n".join("\n".join(lines) for lines in parts)


def _finding(name: str, right: np.ndarray, asked: float, more: str = "") -> Finding:
    """``right``: booleans (n,)."""
    return Finding(name, float(right.mean()) if len(right) else np.nan, len(right), asked, more)


def classes(cases: list[Case], a: Agreement) -> list[Finding]:
    """How often the class of the longest stay is right: of all rows, of those that chain, of a scenario's rows all."""
    every = np.array([a.right[group].all() for group in by_scenario(cases)])
    return [
        _finding("class right", a.right, CLASS_TARGET),
        _finding("class right, chained", a.right[a.chained], CHAINED_CLASS_TARGET),
        _finding("class right under every policy", every, PAIR_TARGET),
    ]


CLASSES = ("below the re-arm period", "below 1 s", "1 s and above")


def _confusion(a: Agreement) -> list[str]:
    table = np.zeros((3, 3), int)
    np.add.at(table, (np.where(a.right, a.classes, a.truth), a.classes), 1)
    rows = (f"  {name:24s}" + "".join(f"{n:6d}" for n in row) for name, row in zip(CLASSES, table, strict=True))
    return ["rows by class, truth down, model across:", *rows]


def figures(a: Agreement) -> list[Finding]:
    """How often each figure is as near as asked for."""
    found = []
    for target in TARGETS:
        errors = a.errors[target.figure][a.chained] if target.chained else a.errors[target.figure]
        errors = np.abs(errors[~np.isnan(errors)])
        unit = f"{target.within:g}" if FIGURES[target.figure].absolute else f"{100 * target.within:g} %"
        name = f"{target.figure}{', chained' if target.chained else ''} within {unit}"
        more = f"; that share is within {np.quantile(errors, target.share):.3f}" if len(errors) else ""
        found.append(_finding(name, errors <= target.within, target.share, more))
    return found


def _bias(a: Agreement) -> list[str]:
    errors = a.errors["callback_mean_ms"][a.chained]
    errors = errors[~np.isnan(errors)]
    if not len(errors):
        return []
    bias = float(np.median(errors))
    missed = "" if abs(bias) <= BIAS_TARGET else "  missed"
    return [f"{'callback_mean_ms, chained, median signed error':46s} {100 * bias:+5.1f} %, asked 5 %{missed}"]


def slices(cases: list[Case], a: Agreement) -> list[Finding]:
    """How often the class is right within each of SLICES."""
    found = []
    for name, belongs in SLICES.items():
        rows = np.array([belongs(case.scenario) for case in cases])
        errors = a.errors["callback_mean_ms"][rows]
        errors = np.abs(errors[~np.isnan(errors)])
        near = f"; callback_mean_ms within 25 %: {100 * np.mean(errors <= 0.25):.1f} %" if len(errors) else ""
        chained = a.right[rows & a.chained]
        some = f"; chained: {chained.sum()} of {len(chained)}" if len(chained) else ""
        found.append(_finding(f"class right, {name}", a.right[rows], SLICE_TARGET, some + near))
    return found


def summary(cases: list[Case], results: Columns, truth: str) -> dict[str, Any]:
    """What reports quote of the comparison, with the command that makes it again; ``truth``: the file's name."""
    a = judge(cases, results)
    told = (*classes(cases, a), *figures(a))
    return {
        "model_version": MODEL_VERSION,
        "rows": len(cases),
        "command": f"python benchmarks/model_agreement.py {truth} --write",
        "figures": [
            {"name": f.name, "measured": f.measured, "target": f"{100 * f.asked:.0f} %", "met": f.met} for f in told
        ],
        "slices": [
            {"name": f.name.removeprefix("class right, "), "rows": f.rows, "class_right": round(f.share, 4)}
            for f in slices(cases, a)
            if f.rows
        ],
    }


def _worst(cases: list[Case], results: Columns, a: Agreement) -> str:
    """Wrong classes first, then the largest errors of the callback mean."""
    off = np.nan_to_num(np.abs(a.errors["callback_mean_ms"]))
    order = np.lexsort((-off, -np.abs(a.classes - a.truth) * ~a.right))[:WORST]
    shown = (RESIDENCY, "callback_mean_ms", "rbtree_lock_held_fraction", "rbtree_erases", "rbtree_walk_steps")
    lines = [f"the {len(order)} worst rows (model/first seed/second seed):"]
    for i in order:
        s, seeds = cases[i].scenario, cases[i].seeds
        lines.append(
            f"  {s['id']} {cases[i].policy}: {s['cpus']} CPUs, {s['active_cpus']} active, {s['iova_pages']} pages, "
            f"{s['unmap_burst']} every {s['burst_period_us']:g} us, {s['in_flight']} in flight, {s['phase']}, "
            f"shift {s['free_cpu_shift']}, HZ={s['hz']}{'' if s['dma32_first'] else ', 64-bit only'}"
        )
        figures = (
            f"{name} " + "/".join(f"{row[name]:.4g}" for row in ({name: float(results[name][i])}, *seeds))
            for name in shown
            if name in seeds[0]
        )
        lines.append("    " + ", ".join(figures))
    return "\n".join(lines)


def of_sizes(cases: list[Case], sizes: str) -> list[Case]:
    """Cases with ``one`` size, with ``mixed`` sizes, or ``all``."""
    return [case for case in cases if sizes == "all" or (len(page_sizes(case.scenario)) > 1) == (sizes == "mixed")]


def run(cases: list[Case], jobs: int) -> tuple[Columns, float]:
    """The model's results of the cases, from ``jobs`` processes, and their CPU time in seconds."""
    scenarios = by_scenario(cases)
    parts = [[i for group in scenarios[job::jobs] for i in group] for job in range(min(jobs, len(scenarios)))]
    with ProcessPoolExecutor(len(parts)) as pool:
        done = list(pool.map(_timed, ([cases[i] for i in part] for part in parts)))
    order = np.argsort(np.concatenate(parts))
    results = {name: np.concatenate([found[name] for found, _ in done])[order] for name in done[0][0]}
    return results, sum(seconds for _, seconds in done)


def _timed(cases: list[Case]) -> tuple[Columns, float]:
    started = time.process_time()
    return simulate(columns(cases)), time.process_time() - started


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The vectorized model against the reference machine")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--rows", type=int, default=None, help="this many lines of the file, evenly spread")
    parser.add_argument("--sizes", choices=("one", "mixed", "all"), default="all", help="scenarios with one IOVA size")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="keep the shares in conf/agreement.json")
    options = parser.parse_args(arguments)
    try:
        check_rows(options.rows)
        cases = spread(of_sizes(read_cases(options.truth), options.sizes), options.rows)
        if not cases:
            raise TruthError(f"--sizes: {options.truth} holds no scenario with {options.sizes} sizes")
    except TruthError as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    results, seconds = run(cases, max(options.jobs, 1))
    virtual_s = sum(case.scenario["horizon_s"] for case in cases)
    print(f"{len(cases)} rows, scenarios times policies: {virtual_s:,.0f} scenario-seconds in {seconds:.1f} s of")
    print(f"CPU time, {virtual_s / seconds:,.1f} a second of one core\n")
    print(report(cases, results))
    if options.write:
        KEPT.write_text(json.dumps(summary(cases, results, options.truth.name), indent=1) + "\n")


if __name__ == "__main__":
    main()
