"""How near results are to what the reference machine counted: figures, what is asked of them, slices of scenarios.

A figure's error is its distance from the range of the seeds, a class is right if a seed has it (benchmarks/truth.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.truth import Case, Row, chains, distance, error, residency_class
from workers.results import CPU_MAGAZINES
from workers.schema import RCACHE_MAX_PAGES, Columns, parse_iova_pages

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


def page_sizes(scenario: Row) -> tuple[int, ...]:
    return parse_iova_pages(scenario["iova_pages"])[0]


SLICES: dict[str, Callable[[Row], bool]] = {
    "mixed sizes": lambda s: len(page_sizes(s)) > 1,
    "one size": lambda s: len(page_sizes(s)) == 1,
    "oversize": lambda s: max(page_sizes(s)) > RCACHE_MAX_PAGES,
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
