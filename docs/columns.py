"""Writes columns.md from ``workers/schema.py``: ``python docs/columns.py``. A test holds the file to it."""

from __future__ import annotations

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from workers.schema import COST_COLUMNS, RESULT_COLUMNS, SCENARIO_COLUMNS, Column

PATH = Path(__file__).parent / "columns.md"
TYPES = {int: "whole number", float: "number", bool: "true, false", str: "text"}

HEAD = """# Columns

Made from `workers/schema.py` by `python docs/columns.py`. Units are in the names; limits belong to what is allowed.

A points file is CSV, or Parquet where its name ends in `.parquet`: a row a scenario, the columns below in any order. An
empty cell means the default. Unknown columns, values outside the limits and repeated ids are refused by name. Ids are
texts and come back as they were (`007` stays `007`). Between columns: `unmap_burst` is at most `in_flight`,
`active_cpus` at most `cpus`.

A results file holds the scenario columns, completed, then the result columns, then `status` (`ok` or `failed`),
`error` (what a failed scenario raised; it has no results) and `cell` (`run`; with `mode=refine` also `implied`: the
verdict alone, or `unknown`): one row a scenario, in their order.
"""


def text() -> str:
    """The whole of columns.md."""
    load = [c for c in SCENARIO_COLUMNS if c not in COST_COLUMNS]
    return "\n".join(
        [
            HEAD,
            "## Scenario: machine, workload, policy\n",
            *_inputs(load),
            "\n## Scenario: costs, in ns of virtual time\n",
            *_inputs(list(COST_COLUMNS)),
            "\n## Results\n",
            "| column | type | meaning |",
            "|-|-|-|",
            *(f"| `{c.name}` | {TYPES[c.kind]} | {c.meaning} |" for c in RESULT_COLUMNS),
            "",
        ]
    )


def _inputs(columns: list[Column]) -> list[str]:
    rows = [f"| `{c.name}` | {_default(c)} | {_allowed(c)} | {c.meaning} |" for c in columns]
    return ["| column | default | allowed | meaning |", "|-|-|-|-|", *rows]


def _default(column: Column) -> str:
    if column.required:
        return "required"
    return {"id": "a hash", "active_cpus": "`cpus`"}.get(column.name, f"{column.default}".lower())


def _allowed(column: Column) -> str:
    if column.choices:
        return ", ".join(column.choices)
    if math.isinf(column.high):
        return TYPES[column.kind]
    form = "" if column.kind is int else "g"
    return f"{TYPES[column.kind]}, {column.low:{form}} to {column.high:{form}}"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
