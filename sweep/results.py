"""results.parquet: a row a scenario, in input order, joined window by window from the plan and the store."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from sweep.parquet import sink
from sweep.plan import WINDOW_ROWS, Plan, TablePlan, windows
from sweep.refine.search import CELLS, RUN
from sweep.storage import Storage
from sweep.storage.names import is_remote
from sweep.store import Store
from sweep.store.chunk import FAILED, RESULTS, TYPES, DamagedChunk
from sweep.store.keys import scenario_keys
from workers.schema import LOCKED, SCENARIO_COLUMNS, VERDICTS, ScenarioError

NAME = "results.parquet"
SCENARIO: dict[str, Any] = {c.name: TYPES[c.kind] for c in SCENARIO_COLUMNS}
SCHEMA: dict[str, Any] = SCENARIO | RESULTS | {"cell": TYPES[str]}
"""Columns of results.parquet, in order."""

SHOWN_FAILURES = 100
HELD_ROWS = 1 << 18
"""Rows of chunk files kept decoded, because the next window may need them too."""


@dataclass
class Joined:
    """Of a table: how many scenarios that were run lock up, how many failed, the first SHOWN_FAILURES of these as
    {row (from 0), id, error}, and the chunk files that it came from, in order."""

    locked: int = 0
    failed: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)

    def add(self, frame: pl.DataFrame, first_row: int) -> None:
        """Counts those of a window of the table."""
        failed = frame.with_row_index("row", first_row).filter(status=FAILED).select("row", "id", "error")
        self.failed += failed.height
        self.locked += frame.filter(cell=RUN, verdict=LOCKED).height
        self.failures += failed.head(SHOWN_FAILURES - len(self.failures)).to_dicts()


@dataclass(frozen=True)
class Answer:
    """What a refined sweep found: of each row a verdict's code (-1: none) and a place in CELLS, shapes (rows,)."""

    verdict: np.ndarray
    cell: np.ndarray

    def counts(self) -> dict[str, int]:
        """How many rows are what."""
        return dict(zip(CELLS, np.bincount(self.cell, minlength=len(CELLS)).tolist(), strict=True))


MOST_TRIES = 10
"""Times that something is begun: another sweep may tidy the store in between, but not for ever."""

T = TypeVar("T")


class LostChunk(Exception):
    """A chunk file that was there is gone or damaged; ``name``: which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is lost")
        self.name = name


def despite_losses(store: Store, action: Callable[[], T]) -> T:
    """What ``action`` gives, begun again where a chunk got lost on the way.

    Raises ScenarioError where that does not end.
    """
    for _ in range(MOST_TRIES):
        try:
            return action()
        except LostChunk as lost:  # damaged, or put into a larger file by another sweep
            store.reload(lost.name)
    raise ScenarioError(f"store: files in {store.storage.url} go missing while it is used; what is left is kept")


def rows_of(plan: Plan, numbers: np.ndarray, chunks: Chunks, answer: Answer | None = None) -> pl.DataFrame:
    """Rows of the table, with the columns of SCHEMA; raises LostChunk.

    Without an ``answer`` every row was run. Of a row that was not there is nothing but the verdict implied.
    """
    content = plan.rows(numbers)
    scenarios = {"id": plan.ids(numbers), **content}
    columns = {name: pl.Series(name, _plain(scenarios[name]), dtype=kind) for name, kind in SCENARIO.items()}
    keys = scenario_keys(content)
    if answer is None:
        return pl.DataFrame(columns).hstack(chunks.find(keys)).with_columns(cell=pl.lit(RUN))
    cell, verdict = answer.cell[numbers], answer.verdict[numbers]
    ran = cell == CELLS.index(RUN)
    found = pl.concat([chunks.find(keys[ran]), pl.DataFrame({name: [None] for name in RESULTS}, RESULTS)])
    found = found[np.where(ran, np.cumsum(ran) - 1, found.height - 1)]
    implied = pl.Series([None, *VERDICTS])[verdict + 1]
    named = found.with_columns(verdict=pl.coalesce("verdict", implied), cell=pl.Series(CELLS)[cell])
    return pl.DataFrame(columns).hstack(named)


def _plain(values: np.ndarray) -> Any:
    return values.tolist() if values.dtype == object else np.ascontiguousarray(values)


def plan_of_table(rows: pl.DataFrame, depots: Mapping[str, Mapping[str, Any]]) -> TablePlan:
    """The scenarios of rows of the table, to run again; ``depots``: see ``TablePlan``."""
    columns = {name: rows[name].to_numpy() for name in SCENARIO}
    return TablePlan(
        {name: v.astype(object) if SCENARIO[name] == pl.String else v for name, v in columns.items()}, depots
    )


class Chunks:
    """Results by key, from chunk files of which the last used stay in memory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.used: dict[str, None] = {}  # names, in order
        self._held: OrderedDict[str, pl.DataFrame] = OrderedDict()

    def find(self, keys: np.ndarray) -> pl.DataFrame:
        """The results of each key, in order, with the columns of RESULTS; raises LostChunk, or KeyError."""
        files, rows = self.store.index.find(keys)
        if len(files) and files.min() < 1:
            raise KeyError("a scenario that was not run")
        parts, places = [], []
        for file in dict.fromkeys(files.tolist()):
            of = np.flatnonzero(files == file)
            parts.append(self._chunk(self.store.index.names[file])[rows[of]])
            places.append(of)
        if not parts:
            return pl.DataFrame(schema=RESULTS)
        order = np.argsort(np.concatenate(places))
        return pl.concat(parts)[order]

    def _chunk(self, name: str) -> pl.DataFrame:
        self.used[name] = None
        if name not in self._held:
            try:
                self._held[name] = self.store.read(name, list(RESULTS))
            except (DamagedChunk, FileNotFoundError):
                raise LostChunk(name) from None
            while len(self._held) > 1 and sum(chunk.height for chunk in self._held.values()) > HELD_ROWS:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        return self._held[name]


def write_results(plan: Plan, store: Store, folder: Storage, answer: Answer | None) -> Joined:
    """Streams the table into the folder, whole or not at all. Raises LostChunk, OSError.

    ``answer``: of a refined sweep; None where every row was run.
    """
    stopped, joined = threading.Event(), Joined()
    raised: list[Exception] = []

    def frames(with_columns: Any, predicate: Any, n_rows: Any, batch_size: Any) -> Iterator[pl.DataFrame]:
        chunks = Chunks(store)
        try:
            for numbers in windows(len(plan)):
                if stopped.is_set():
                    return
                frame = rows_of(plan, numbers, chunks, answer)
                joined.add(frame, int(numbers[0]))
                yield frame
            joined.chunks = list(chunks.used)
        except Exception as error:  # polars would make a ComputeError of it
            raised.append(error)
            raise

    target, options = folder.polars(NAME)
    local = not is_remote(target)
    beside = f"{target}.part" if local else target  # an object store shows an object when all of it is there

    table = register_io_source(frames, schema=SCHEMA)

    try:
        with ThreadPoolExecutor(1) as thread:  # polars hears no signal while it writes; this thread does
            writing = thread.submit(sink, table, beside, row_group_size=WINDOW_ROWS, storage_options=options or None)
            try:
                writing.result()
            except BaseException:
                stopped.set()
                raise
        if local:
            with open(beside, "rb") as file:
                os.fsync(file.fileno())  # some disks tell only now that they are full
            os.replace(beside, target)
        return joined
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        if local:
            Path(beside).unlink(missing_ok=True)
