"""What moved between two baselines of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.baseline.changes import KINDS, Change, changes
from sweep.baseline.file import Baseline
from sweep.baseline.lines import Line
from sweep.report.answers.words import pages

ALWAYS = ("policy", "iova_pages", "cpus")
"""Columns of every label."""


@dataclass(frozen=True)
class Moved:
    """A line that moved, by its label, and how, the gravest change first."""

    label: str
    changes: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether anything on it is for the worse."""
        return any(change.worse for change in self.changes)


@dataclass(frozen=True)
class Comparison:
    """A grid against its baseline: labels of the lines compared, those that moved, and those in one of them only.

    ``causes``: what else differs, as sentences: the model's version, costs, policies. They move nothing by themselves.
    """

    grid: str
    labels: tuple[str, ...]
    moved: tuple[Moved, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing moved, came or went."""
        return not (self.moved or self.added or self.removed)


def compare(was: Baseline, now: Baseline) -> Comparison:
    """``now`` against ``was``, by the tolerances of ``was``."""
    shown = _varied([*was.lines, *now.lines])
    before, after = ({line.name: line for line in side.lines} for side in (was, now))
    both = [name for name in after if name in before]
    moved = [
        Moved(_label(after[name], shown), found)
        for name in both
        if (found := tuple(changes(before[name], after[name], was.tolerance)))
    ]
    return Comparison(
        now.grid,
        tuple(_label(after[name], shown) for name in both),
        tuple(sorted(moved, key=lambda line: (not line.worse, KINDS.index(line.changes[0].kind)))),
        tuple(_label(line, shown) for name, line in after.items() if name not in before),
        tuple(_label(line, shown) for name, line in before.items() if name not in after),
        tuple(_causes(was, now)),
    )


def _varied(lines: Sequence[Line]) -> list[str]:
    """Columns that a label needs beside ALWAYS to tell the lines apart; a cost may vary on one side alone."""
    names = [name for name in dict.fromkeys(n for line in lines for n in line.load) if name not in ALWAYS]
    if all(line.load["active_cpus"] == line.load["cpus"] for line in lines):
        names.remove("active_cpus")
    return [name for name in names if len({line.load.get(name) for line in lines}) > 1]


def _label(line: Line, shown: Sequence[str]) -> str:
    load = line.load
    more = [f"{name} {load[name]}" for name in shown if name in load]
    return ", ".join([load["policy"], pages(load["iova_pages"]), f"{load['cpus']} CPUs", *more])


def _causes(was: Baseline, now: Baseline) -> Iterator[str]:
    if was.model_version != now.model_version:
        yield f"the model's version is {now.model_version}, was {was.model_version}"
    yield from (f"{name} is {new}, was {old}" for name, old, new in _differences(was.costs, now.costs))
    for policy in sorted(was.policies.keys() & now.policies.keys()):
        for name, old, new in _differences(was.policies[policy], now.policies[policy]):
            yield f"policy {policy}: {name} is {new}, was {old}"


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            yield name, was.get(name), now.get(name)
