"""One cell over time: which one says most, and what the model says of it, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sweep.config import RATE
from sweep.pairs import CONTENT
from sweep.report.inputs import Results
from sweep.results import plan_of_table
from workers import MODEL_VERSION
from workers.schema import LOCKED, ScenarioError
from workers.series import TimeSeries
from workers.task import estimate_seconds

MOST_SHOWN_S = 1.0
"""Of virtual time. A scenario alone takes a few seconds for it, on any number of CPUs up to some hundred."""

MOST_ESTIMATED_S = 10.0
"""Of ``workers.task.estimate_seconds``, both sides together: larger machines are left to ``point=ID``."""

CHOICE = {
    "fixed": "Of the scenarios that the patch fixes",
    "broken_by_patch": "No scenario is fixed; of those that the patch breaks",
    "locked_in_both": "No scenario is fixed or broken; of those that lock up in both",
    "safe_in_both": "Nothing locks up; of the pairs",
}


@dataclass(frozen=True)
class Telling:
    """The cell: how it was ``chosen``; ``rows``: its row of the table for each policy; ``series``: of each policy, over
    the first ``shown_s`` seconds of virtual time."""

    chosen: str
    shown_s: float
    rows: dict[str, dict[str, Any]]
    series: dict[str, pl.DataFrame]


def telling(results: Results, shown: tuple[str, ...], classes: pl.DataFrame, time_series: TimeSeries) -> Telling | str:
    """The most telling cell of ``shown`` policies, simulated again; or in a sentence why there is none.

    ``classes``: ``answers.paired.Paired.loads`` of the two policies.
    """
    ran = results.manifest.get("versions", {}).get("model")
    if ran != MODEL_VERSION:
        return f"Not simulated again: the results are of version {ran} of the model, this is version {MODEL_VERSION}."
    chosen, rows = _chosen(results.table, shown, classes)
    if rows.is_empty():
        return "No scenario of this sweep was run, so none can be shown over time."
    try:
        plan = plan_of_table(rows.select(pl.exclude(RATE)), results.manifest.get("policies", {}))
    except ScenarioError as error:
        return f"Not simulated again: {error}."
    numbers = np.arange(rows.height)
    scenarios = {"id": plan.ids(numbers), **plan.rows(numbers)}
    scenarios["horizon_s"] = np.minimum(scenarios["horizon_s"], MOST_SHOWN_S)
    each = [{name: values[[at]] for name, values in scenarios.items()} for at in numbers]
    if sum(estimate_seconds(one)[0] for one in each) > MOST_ESTIMATED_S:
        ids = ", ".join(rows["id"])
        return (
            f"Not simulated again, as it would take long; python -m sweep output={results.url} point=ID does, of {ids}."
        )
    try:
        series = {policy: pl.DataFrame(time_series(one)) for policy, one in zip(rows["policy"], each, strict=True)}
    except Exception as error:  # of the model: a value, as in a sweep
        return f"Not shown: simulated again it raised {type(error).__name__}: {error}."
    return Telling(
        chosen, float(scenarios["horizon_s"].max()), {row["policy"]: row for row in rows.iter_rows(named=True)}, series
    )


def _chosen(table: pl.LazyFrame, shown: tuple[str, ...], classes: pl.DataFrame) -> tuple[str, pl.DataFrame]:
    """How the cell was chosen, and its rows in the order of ``shown``; no rows where nothing was run."""
    ran = table.filter(pl.col("softirq_residency_max_ms").is_not_null(), pl.col("policy").is_in(shown))
    longest = ["softirq_residency_max_ms", "cpus", "id"]
    for name, words in CHOICE.items():
        some = classes.filter(pl.col(name) > 0)
        for cpus in some["cpus"].unique().sort().to_list():
            pairs = _pairs(ran.filter(cpus=cpus), shown).filter(_CLASS[name])
            first = pairs.sort(longest, descending=[True, False, False]).head(1).collect()
            if first.height:
                rows = ran.filter(pl.col("id").is_in([first["id"].item(), first["id_after"].item()])).collect()
                order = rows.sort(pl.col("policy").replace_strict({p: i for i, p in enumerate(shown)}))
                how = f"{words}, the one on the smallest machine ({cpus} CPUs), and of these the longest stay before."
                return how, order
    alone = ran.sort(longest, descending=[True, False, False]).head(1).collect()
    return "The scenario with the longest stay in the softirq.", alone


_LOCKED, _LOCKED_AFTER = pl.col("verdict") == LOCKED, pl.col("verdict_after") == LOCKED
_CLASS = {
    "fixed": _LOCKED & ~_LOCKED_AFTER,
    "broken_by_patch": ~_LOCKED & _LOCKED_AFTER,
    "locked_in_both": _LOCKED & _LOCKED_AFTER,
    "safe_in_both": ~_LOCKED & ~_LOCKED_AFTER,
}


def _pairs(ran: pl.LazyFrame, shown: tuple[str, ...]) -> pl.LazyFrame:
    """Rows of the first policy with id and verdict of the same scenario under the second."""
    wanted = ["id", *CONTENT, "verdict", "softirq_residency_max_ms"]
    before, after = (ran.filter(pl.col("policy") == p).select(wanted) for p in shown)
    return before.join(after.select("id", *CONTENT, "verdict"), on=list(CONTENT), suffix="_after")
