"""The vectorized model against the reference machine: classes, figures, slices, the worst rows, and the speed.

    python benchmarks/model_agreement.py TRUTH.jsonl [--rows N] [--sizes one|mixed|all] [--jobs 2] [--write]

TRUTH is described in benchmarks/truth.py; tests/data/truth_rows.jsonl is a small one. A scenario under a policy is one
row. A figure's error is its distance from the range of the seeds, a class is right if a seed has it; "chained" are the
rows in which no seed stays below the re-arm period. Figures that the file does not hold are left out. ``--write`` keeps
the shares in conf/agreement.json, from where reports quote them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.truth import (
    Case,
    Row,
    TruthError,
    by_scenario,
    chains,
    check_rows,
    columns,
    distance,
    error,
    read_cases,
    residency_class,
    spread,
)
from workers import MODEL_VERSION
from workers.results import CPU_MAGAZINES
from workers.schema import RCACHE_MAX_PAGES, Columns, parse_iova_pages
from workers.task import simulate

KEPT = Path(__file__).parents[1] / "conf" / "agreement.json"
WORST = 10
FLOOR_MS, FLOOR_MAGAZINES, LEAST_COUNT = 0.02, 8.0, 1_000
RESIDENCY = "softirq_residency_max_ms"
MAGAZINES = "magazines_peak - 12 x cpus"


class Figure(NamedTuple):
    """A result column that is judged: relative to the seeds' range unless ``absolute``, from ``least`` counts on."""

    column: str
    floor: float = 0.0
    least: float = -np.inf
    absolute: bool = False
    without_cpu_magazines: bool = False


FIGURES = {
    "callback_mean_ms": Figure("callback_mean_ms", FLOOR_MS),
    "callback_p99_ms": Figure("callback_p99_ms", FLOOR_MS),
    "callback_max_ms": Figure("callback_max_ms", FLOOR_MS),
    "rbtree_lock_held_fraction": Figure("rbtree_lock_held_fraction", absolute=True),
    "ops_completed": Figure("ops_completed"),
    "rbtree_erases": Figure("rbtree_erases", least=LEAST_COUNT),
    "rbtree_walk_steps": Figure("rbtree_walk_steps", least=LEAST_COUNT),
    MAGAZINES: Figure("magazines_peak", FLOOR_MAGAZINES, without_cpu_magazines=True),
    "iova_nodes_peak": Figure("iova_nodes_peak"),
}


class Target(NamedTuple):
    """An error of at most ``within`` in at least ``share`` of the rows, 0.5 for the median; ``chained`` ones only."""

    figure: str
    within: float
    share: float
    chained: bool = False


TARGETS = (
    Target("callback_mean_ms", 0.10, 0.50),
    Target("callback_mean_ms", 0.25, 0.92),
    Target("callback_mean_ms", 0.15, 0.50, chained=True),
    Target("callback_mean_ms", 0.35, 0.80, chained=True),
    Target("callback_p99_ms", 0.25, 0.85),
    Target("callback_max_ms", 0.25, 0.85),
    Target("rbtree_lock_held_fraction", 0.05, 0.92),
    Target("ops_completed", 0.05, 0.95),
    Target("rbtree_erases", 0.25, 0.85),
    Target("rbtree_walk_steps", 0.25, 0.85),
    Target(MAGAZINES, 0.15, 0.50),
    Target(MAGAZINES, 0.40, 0.90),
    Target("iova_nodes_peak", 0.05, 0.95),
)
CLASS_TARGET, CHAINED_CLASS_TARGET, PAIR_TARGET, SLICE_TARGET, BIAS_TARGET = 0.97, 0.90, 0.95, 0.90, 0.05


def _sizes(scenario: Row) -> tuple[int, ...]:
    return parse_iova_pages(scenario["iova_pages"])[0]


SLICES: dict[str, Callable[[Row], bool]] = {
    "mixed sizes": lambda s: len(_sizes(s)) > 1,
    "one size": lambda s: len(_sizes(s)) == 1,
    "oversize": lambda s: max(_sizes(s)) > RCACHE_MAX_PAGES,
    "free_cpu_shift": lambda s: s["free_cpu_shift"] > 0,
    "aligned": lambda s: s["phase"] == "aligned",
    "idle CPUs": lambda s: s["active_cpus"] < s["cpus"],
    "HZ=1000": lambda s: s["hz"] == 1000,
    "64-bit only": lambda s: not s["dma32_first"],
}


@dataclass(frozen=True)
class Agreement:
    """Shapes (rows,): the classes, those of the first seed, whether a seed has the class, whether no seed stays below
    the re-arm period (``chained``), and for each of FIGURES the signed error, nan where it is not judged."""

    classes: np.ndarray
    truth: np.ndarray
    right: np.ndarray
    chained: np.ndarray
    errors: dict[str, np.ndarray]


def judge(cases: list[Case], results: Columns) -> Agreement:
    """Compares the ``results`` (rows,) of the cases with what the machine counted."""
    classes, seeds = [], []
    for residency_ms, case in zip(results[RESIDENCY], cases, strict=True):
        hz = case.scenario["hz"]
        classes.append(residency_class(residency_ms, hz))
        seeds.append([residency_class(row[RESIDENCY], hz) for row in case.seeds])
    return Agreement(
        np.array(classes),
        np.array([s[0] for s in seeds]),
        np.array([c in s for c, s in zip(classes, seeds, strict=True)]),
        np.array([chains(case) for case in cases]),
        {name: _errors(figure, cases, results) for name, figure in FIGURES.items()},
    )


def _errors(figure: Figure, cases: list[Case], results: Columns) -> np.ndarray:
    out = np.full(len(cases), np.nan)
    for i, case in enumerate(cases):
        if any(figure.column not in row for row in case.seeds):
            continue
        constant = CPU_MAGAZINES * case.scenario["cpus"] if figure.without_cpu_magazines else 0
        figures = [row[figure.column] - constant for row in case.seeds]
        given = float(results[figure.column][i]) - constant
        if max(figures) > figure.least:
            out[i] = distance(given, figures) if figure.absolute else error(given, figures, figure.floor)
    return out


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
    return [case for case in cases if sizes == "all" or (len(_sizes(case.scenario)) > 1) == (sizes == "mixed")]


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
