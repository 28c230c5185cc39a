"""The answer first: how high the unmap rate may go, machine by machine, before and after."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl

from sweep.document import Block, Column, Section, Table
from sweep.report.answers.safe_rate import COUNTED, safe_rates
from sweep.report.answers.words import listed, mib, si
from sweep.report.view import View

FULL_ROWS = 40
"""A longer table is shortened for the lead: CPU counts with the same answer share a row."""

DEFINITION = (
    "Safe: no soft lockup at this nominal rate nor at any lower one that was run, the worst over everything the table"
    " does not name. Scenarios that only chain count as safe; chain says how many up to the safe rate do. Rates"
    " are nominal unmaps/s of each active CPU; achieved is what the slowest scenario at that rate came to. Peak memory"
    " is the most of the line at any rate."
)
EXPECTING = (
    "! and expect a lockup: of the scenarios that count as safe, as a soft lockup within exposure_s is less likely than"
    " not, those that expect one or more on average: in a part of what the few seconds run leave possible stays hardly"
    " end, and there it locks up again and again."
)


def lead(view: View) -> list[Block]:
    """The table, shortened where it is long."""
    rows = _rows(view)
    shown = _merged(rows) if len(rows) > FULL_ROWS else rows
    return [_table(view, shown, "Highest safe unmap rate")]


def section(view: View) -> Section | None:
    """The whole table where the lead has a short one, and one with every policy where there are more than two."""
    blocks: list[Block] = []
    rows = _rows(view)
    if len(rows) > FULL_ROWS:
        blocks.append(_table(view, rows, "Highest safe unmap rate, every CPU count"))
    if len(view.policies) > 2:
        blocks.append(_every_policy(view))
    return Section("Safe rates in full", tuple(blocks)) if blocks else None


def _rows(view: View) -> list[dict[str, Any]]:
    """A dict a line of the table: size_row, cell_cpus, and for each policy shown its line of ``safe_rates``."""
    rates = safe_rates(view.loads)
    lines: dict[tuple[int, float], dict[str, Any]] = {}
    for line in rates.filter(pl.col("policy").is_in(view.shown)).iter_rows(named=True):
        key = (line["size_order"], line["cell_cpus"])
        row = lines.setdefault(key, {"size": line["size_row"], "cpus": (line["cell_cpus"],) * 2})
        row[line["policy"]] = line
    return [lines[key] for key in sorted(lines)]


def _merged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring CPU counts with the same rates in one row; achieved the least, memory the most of them."""

    def answer(row: dict[str, Any]) -> tuple[Any, ...]:
        named = ("safe_per_s", "stop", "bands", "top_per_s")
        sides = {name: side for name, side in row.items() if isinstance(side, dict)}
        return row["size"], *((name, *(str(side[key]) for key in named)) for name, side in sides.items())

    out = []
    for _, group in itertools.groupby(rows, answer):
        several = list(group)
        first = {k: dict(v) if isinstance(v, dict) else v for k, v in several[0].items()}
        first["cpus"] = (several[0]["cpus"][0], several[-1]["cpus"][1])
        for name in [k for k, v in first.items() if isinstance(v, dict)]:
            sides = [row[name] for row in several]
            achieved = [side["achieved_per_s"] for side in sides if side["achieved_per_s"] is not None]
            memory = [side["memory_peak_bytes"] for side in sides if side["memory_peak_bytes"] is not None]
            first[name] |= {
                "achieved_per_s": min(achieved, default=None),
                "memory_peak_bytes": max(memory, default=None),
                **{key: sum(side[key] for side in sides) for key in COUNTED},
            }
        out.append(first)
    return out


def _table(view: View, rows: list[dict[str, Any]], title: str) -> Table:
    columns = [Column("IOVA size"), Column("CPUs", True)]
    for name in view.shown:
        columns += [Column(f"{view.side(name)}, unmaps/s", True), Column("achieved", True)]
    ratio = len(view.shown) == 2
    doubt = _doubtful(view, rows)
    columns += [Column("ratio", True)] * ratio + [Column("chain", True)] + [Column("expect a lockup", True)] * doubt
    columns.append(Column("peak memory, MiB", True))
    bands = any(row[name]["bands"] for row in rows for name in view.shown if name in row)
    columns += [Column("safe again at")] * bands
    cells = tuple(_cells(view, row, ratio, doubt, bands) for row in rows)
    return Table(title, tuple(columns), cells, _note(view, rows))


def _cells(view: View, row: dict[str, Any], ratio: bool, doubt: bool, bands: bool) -> tuple[str, ...]:
    sides = [row.get(name) for name in view.shown]
    low, high = row["cpus"]
    cells = [row["size"], f"{low:g}" if low == high else f"{low:g} to {high:g}"]
    for side in sides:
        achieved = side and side["achieved_per_s"]
        cells += [safe_text(side), "–" if achieved is None else si(achieved)]
    if ratio:
        cells.append(ratio_text(*sides))
    for name in ("chained", "expecting")[: 1 + doubt]:
        cells.append(" → ".join(f"{side[name]:,}" if side else "–" for side in sides))
    cells.append(" → ".join(mib(side and side["memory_peak_bytes"]) for side in sides))
    cells += ["; ".join(filter(None, map(_bands_text, view.shown, sides)))] * bands
    return tuple(cells)


def safe_text(side: dict[str, Any] | None) -> str:
    """A line of ``safe_rates`` as a table shows it; None: the policy was not run there."""
    if side is None:
        return "not run"
    safe, stop = side["safe_per_s"], side["stop_per_s"]
    mark = "*" * bool(side["implied"]) + "!" * bool(side["expecting"])
    if side["stop"] == "":
        return f"no unsafe cell up to {si(safe)}{mark}"
    reason = f" ({si(stop)} not known)" if side["stop"] == "undecided" else ""
    return f"none{reason}" if safe is None else f"{si(safe)}{mark}{reason}"


def ratio_text(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """After over before: a bound where one of them has no unsafe cell, words where one of them has no safe rate, a dash
    where neither has one or the other, or where one is not known."""
    if before is None or after is None or "undecided" in (before["stop"], after["stop"]):
        return "–"
    if before["safe_per_s"] is None or after["safe_per_s"] is None:
        both = before["safe_per_s"] is None and after["safe_per_s"] is None
        return "–" if both else "from none" if before["safe_per_s"] is None else "to none"
    if before["stop"] == after["stop"] == "":
        return "–"
    bound = "≥ " if after["stop"] == "" else "≤ " if before["stop"] == "" else ""
    return f"{bound}{after['safe_per_s'] / before['safe_per_s']:.3g}"


def _bands_text(policy: str, side: dict[str, Any] | None) -> str:
    if not side or not side["bands"]:
        return ""
    said = [si(low) if low == high else f"{si(low)} to {si(high)}" for low, high in side["bands"]]
    return f"{policy}: {listed(said)}"


def _note(view: View, rows: list[dict[str, Any]]) -> str:
    sides = [row[name] for row in rows for name in view.shown if name in row]
    cut = sum(s["cut"] for s in sides)
    extra = [
        EXPECTING if _doubtful(view, rows) else "",
        f"Up to the safe rates the longest stay of {cut:,} was cut by the end of the run and may go on." if cut else "",
        "* verdicts implied by the refinement, not run, are among them." if any(s["implied"] for s in sides) else "",
        "Safe again at: rates above a lockup at which nothing locked up; they do not count."
        if any(s["bands"] for s in sides)
        else "",
        "Not known: scenarios failed or were left open there; they are not taken as safe."
        if any(s["stop"] == "undecided" for s in sides)
        else "",
    ]
    over = f" Not named: {listed(list(view.hidden))}." if view.hidden else ""
    return " ".join(filter(None, [DEFINITION + over + view.rounded, *extra]))


def _doubtful(view: View, rows: list[dict[str, Any]]) -> bool:
    return any(row[name]["expecting"] for row in rows for name in view.shown if name in row)


def _every_policy(view: View) -> Table:
    rates = safe_rates(view.loads)
    lines = rates.select("size_order", "size_row", "cell_cpus").unique().sort("size_order", "cell_cpus")
    by = {(r["policy"], r["size_row"], r["cell_cpus"]): r for r in rates.iter_rows(named=True)}
    rows = [
        (size, f"{cpus:g}", *(_short(by.get((policy, size, cpus))) for policy in view.policies))
        for _, size, cpus in lines.iter_rows()
    ]
    columns = (Column("IOVA size"), Column("CPUs", True), *(Column(name, True) for name in view.policies))
    title = "Highest safe unmap rate of every policy, unmaps/s per active CPU"
    return Table(title, columns, tuple(rows), "As above; ≥: no unsafe cell up to the highest rate that was run.")


def _short(side: dict[str, Any] | None) -> str:
    return safe_text(side).replace("no unsafe cell up to", "≥")
