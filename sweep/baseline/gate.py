"""What a sweep does with its baseline: reads it before anything runs, compares with it or rewrites it at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sweep.baseline.compare import compare
from sweep.baseline.document import document, headline, text
from sweep.baseline.file import Baseline, path_of, read
from sweep.baseline.file import text as file_text
from sweep.baseline.junit import xml
from sweep.baseline.lines import LOAD, lines, varied_costs
from sweep.config import COST_NAMES, Library, SweepConfig
from sweep.document.markdown import to_markdown
from sweep.plan import Plan
from sweep.report.answers.words import count
from sweep.results import NAME, SCHEMA
from sweep.storage import Storage
from sweep.storage.local import LocalStorage
from sweep.storage.names import is_remote
from workers import MODEL_VERSION
from workers.schema import ScenarioError

CHECK, UPDATE = "check", "update"
MARKDOWN, JUNIT = "baseline.md", "baseline.xml"
"""What a check leaves in the folder of the results."""


@dataclass(frozen=True)
class Gate:
    """The baseline of a sweep. ``action``: CHECK, UPDATE, or None where nobody asked; ``was``: what is kept so far.

    ``now``: what a new one says, but for its lines; ``damaged``: why what was kept could not be read, else nothing.
    """

    action: str | None
    path: Path
    was: Baseline | None
    now: Baseline
    damaged: str = ""

    def close(self, folder: Storage, command: list[str]) -> tuple[bool, str]:
        """Whether the results in the folder hold, and what to tell; ``command``: the sweep's. Raises OSError."""
        if self.action != CHECK:
            _delete_earlier(folder)
        if self.action is None:
            return True, ""
        now = self.measured(folder)
        if self.action == UPDATE:
            return True, self._update(now)
        assert self.was is not None
        found = compare(self.was, now)
        update = shlex.join([f"baseline={UPDATE}" if w.lstrip("+") == f"baseline={CHECK}" else w for w in command])
        folder.write(MARKDOWN, to_markdown(document(found, update)).encode())
        folder.write(JUNIT, xml(found))
        files = f"  all of it: {folder.url}/{MARKDOWN}, {JUNIT}"
        return found.holds, text(found) if found.holds else f"{text(found)}\n{files}\n  if it is meant: {update}"

    def measured(self, folder: Storage) -> Baseline:
        """The baseline that the results in the folder make."""
        source, options = folder.polars(NAME)
        table = pl.scan_parquet(source, schema=SCHEMA, glob=False, storage_options=options)
        return dataclasses.replace(self.now, lines=tuple(lines(table, varied_costs(table))))

    def _update(self, now: Baseline) -> str:
        try:
            LocalStorage.at(str(self.path.parent)).write(self.path.name, file_text(now).encode())
        except OSError as error:
            raise ScenarioError(f"baseline: {self.path} cannot be written ({error.strerror or error})") from None
        told = f"baseline {now.grid}: the first one, {count(len(now.lines), 'line')}"
        if self.damaged:
            told = f"baseline {now.grid}: {count(len(now.lines), 'line')}, in place of one that could not be read"
            told += f"\n  {self.damaged}"
        if self.was is not None:
            found = compare(self.was, now)
            told = headline(found) if found.holds else text(found)
        return f"{told}\n  written: {self.path}"


def _delete_earlier(folder: Storage) -> None:
    """What an earlier check left, which would pass for one of these results; raises OSError."""
    for name in (MARKDOWN, JUNIT):
        with contextlib.suppress(FileNotFoundError):
            folder.read(name)  # in a bucket, who may write may not be let delete: only where there is something
            folder.delete(name)


def open_gate(config: SweepConfig, name: str, plan: Plan, library: Library) -> Gate:
    """The gate of a sweep of the grid ``name``, which can name a file (``sweep.output``).

    Raises ScenarioError, before anything runs, where it cannot work.
    """
    costs = {cost: values if len(values := plan.distinct(cost)) > 1 else values[0] for cost in COST_NAMES}
    policies: dict[str, Any] = {policy: dict(library.depot[policy]) for policy in plan.distinct("policy")}
    now = Baseline(name, MODEL_VERSION, costs, policies, ())
    path = path_of(config.baselines, name)
    if config.baseline is None:
        return Gate(None, path, None, now)
    if config.baseline not in (CHECK, UPDATE):
        raise ScenarioError(f"baseline: {config.baseline!r} was given; allowed are {CHECK}, {UPDATE}")
    if config.mode != "full":
        raise ScenarioError(f"baseline: given with mode={config.mode}; allowed is mode=full, as it needs every cell")
    if not config.baselines or is_remote(config.baselines):
        raise ScenarioError(f"baselines: {config.baselines!r} was given; allowed is the path of a folder")
    if config.baseline == CHECK:
        return Gate(CHECK, path, _checked(path, name, plan), now)
    _try_writing(path)
    try:
        was = read(path)
    except FileNotFoundError:
        return Gate(UPDATE, path, None, now)
    except ScenarioError as error:  # a damaged one, that is to be replaced
        return Gate(UPDATE, path, None, now, str(error))
    return Gate(UPDATE, path, was, dataclasses.replace(now, tolerance=was.tolerance))


def _checked(path: Path, name: str, plan: Plan) -> Baseline:
    """The baseline to check against; raises ScenarioError where there is none, or one of another grid."""
    try:
        was = read(path)
    except FileNotFoundError:
        raise ScenarioError(f"baseline: {path} is not there; baseline={UPDATE} writes it") from None
    if was.grid != name:
        raise ScenarioError(f"baseline: {path} is that of grid {was.grid!r}, not of {name!r}")
    for column in LOAD:
        kept, here = {line.load[column] for line in was.lines}, set(plan.distinct(column))
        if not kept & here:
            raise ScenarioError(f"baseline: {path} is of {column} {_few(kept)}, these scenarios are of {_few(here)}")
    return was


def _few(values: set[Any]) -> str:
    first = sorted(values)[:5]
    return ", ".join(map(str, first)) + (", .." if len(values) > len(first) else "")


def _try_writing(path: Path) -> None:
    try:
        LocalStorage.at(str(path.parent)).try_writing()
    except OSError as error:
        raise ScenarioError(f"baselines: {path.parent} cannot be written ({error.strerror or error})") from None
