"""Why points run: what of their key is not as it was when the sweep of this name last ended.

The store keeps, for each name of a sweep, where its last table is, and the model and policies it was made with.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sweep.plan import Plan
from sweep.results import NAME
from sweep.storage import Storage, open_to_read
from sweep.store.keys import KEY_COLUMNS, scenario_keys, to_hex
from workers import MODEL_VERSION
from workers.policy import depot_columns
from workers.schema import DEPOT_COLUMNS, SCENARIO_COLUMNS, Columns, ScenarioError

MOST_ROWS = 200_000
"""Of larger sweeps nobody would read it, and it would hold up the first task."""

DEPOT = tuple(c.name for c in DEPOT_COLUMNS)
COLUMNS = tuple(c.name for c in KEY_COLUMNS)


def remember(storage: Storage, sweep: str, folder: Storage, policies: Mapping[str, Mapping[str, Any]]) -> None:
    """Notes that the last table of this sweep is in ``folder``; raises OSError."""
    said = {"output": folder.url, "model": MODEL_VERSION, "policies": policies}
    storage.write(_note(sweep), json.dumps(said).encode())


def explain(storage: Storage, sweep: str, plan: Plan, missing: np.ndarray) -> str:
    """'beside the last run of NAME: 62 not in it, 6 with another rb_visit_ns', of the row numbers ``missing``.

    '' where nothing is known. It compares, and does not say that any of them ever ran.
    """
    if not len(missing) or len(plan) > MOST_ROWS:
        return ""
    try:
        version, before = _before(storage, sweep)
    except (OSError, ValueError, LookupError, TypeError, ScenarioError, pl.exceptions.PolarsError):
        return ""  # no table, or one of another time with other columns
    now = _frame(plan.rows(missing), plan.ids(missing))
    reasons = Counter[str]()
    same = now["key"].is_in(before["key"].implode())
    lost = "lost from the store" if version == MODEL_VERSION else f"of model version {version}, now {MODEL_VERSION}"
    reasons[lost] = int(same.sum())
    now = now.filter(~same)
    named = now.join(before, on="id", suffix=" before", maintain_order="left")
    reasons.update(_changes(named))
    now, before = now.join(before, on="id", how="anti"), before.join(named, on="id", how="anti")
    still = pl.Series(to_hex(scenario_keys(plan.rows(np.arange(len(plan))))))
    gone = before.filter(~pl.col("key").is_in(still.implode()))
    other = [name for name in COLUMNS if not now[name].is_in(gone[name].implode()).any()]
    if gone.height and len(other) < len(COLUMNS):
        rest = [name for name in COLUMNS if name not in other]
        moved = now.join(gone.unique(rest, keep="first", maintain_order=True), on=rest, suffix=" before")
        reasons.update(_changes(moved.with_columns(pl.col(rest).name.suffix(" before"))))
    new = len(missing) - reasons.total()
    told = [f"{count} {reason}" for reason, count in [("not in it", new), *reasons.most_common()] if count]
    return f"beside the last run of {sweep}: {', '.join(told)}"


def _changes(both: pl.DataFrame) -> Counter[str]:
    """How many rows changed in which columns; ``both``: COLUMNS of now, and of before with that suffix."""
    changed = {name: (both[name] != both[f"{name} before"]).to_numpy() for name in COLUMNS}
    counts = Counter[str]()
    for row in range(both.height):
        names = [name for name in COLUMNS if changed[name][row]]
        # what follows is no reason: a depot from its policy and the CPUs, the active ones from all
        names = [name for name in names if name not in DEPOT] or names
        names = [name for name in names if name != "active_cpus"] if "cpus" in names else names
        counts[f"with another {' and '.join(names)}"] += 1
    return counts


def _before(storage: Storage, sweep: str) -> tuple[str, pl.DataFrame]:
    """The model's version of the last table, and its scenarios."""
    said = json.loads(storage.read(_note(sweep)))
    data = open_to_read(said["output"]).read(NAME)
    if data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise ValueError("no whole table")
    names = [c.name for c in SCENARIO_COLUMNS]
    table = pl.read_parquet(io.BytesIO(data), columns=names, n_rows=MOST_ROWS)
    scenarios = {c.name: _array(table[c.name], c.kind) for c in SCENARIO_COLUMNS}
    content = {name: values for name, values in scenarios.items() if name != "id"}
    return said["model"], _frame(content | depot_columns(scenarios, said["policies"]), scenarios["id"])


def _array(column: pl.Series, kind: type) -> np.ndarray:
    return np.array(column.to_list(), object) if kind is str else column.to_numpy()


def _frame(content: Columns, ids: np.ndarray) -> pl.DataFrame:
    values = {"id": ids, **{name: content[name] for name in COLUMNS}}
    columns = {name: v.tolist() if v.dtype == object else np.ascontiguousarray(v) for name, v in values.items()}
    return pl.DataFrame(columns).with_columns(key=pl.Series(to_hex(scenario_keys(content))))


def _note(sweep: str) -> str:
    return f"last/{sweep}.json"
