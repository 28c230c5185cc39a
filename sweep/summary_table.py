"""The short table at the end of a run: what is safe, where it locks up, what the patch does and costs."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

import polars as pl

from sweep.aggregate import highest, lowest
from sweep.pairs import CLASSES
from sweep.report.answers.paired import Paired, most_added
from sweep.report.answers.safe_rate import safe_rates
from sweep.report.answers.words import count, cut_off, expecting, mib, pages, reach, si, too_short
from sweep.report.view import View

WIDTH = 100
LABEL, LEAST = 16, 9
"""Letters of an IOVA size: so many where the other columns leave them, and no fewer."""

LITTLE = 0.5
"""Of a nominal rate: what is achieved below that is worth a line."""

CLASS_TEXT = ("safe in both", "fixed by the patch", "broken by it", "locked in both")


def table(view: View) -> str:
    """The table of results as text: at most 25 lines of at most 100 columns."""
    header, rows = _header(view), _size_lines(view)
    beside = sum(2 + max(map(len, column)) for column in list(zip(header, *rows, strict=True))[1:])
    labels = _labels([row[0] for row in rows], max(LEAST, min(LABEL, WIDTH - beside)))
    cells = [header, *([labels[row[0]], *row[1:]] for row in rows)]
    head = [_title(view), "safe rate: the highest of unmaps/s per active CPU below every soft lockup"]
    said = _pair_lines(view.paired, *view.shown) if view.pair else []
    said += _doubts(view, labels)
    others = view.policies[len(view.shown) :]
    if others:
        said.append(_other_line(view.loads, others))
    lines = [*_wrapped(head), "", *map(_cut, _columns(cells)), *[""] * view.pair, *_wrapped(said)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(said: list[str]) -> list[str]:
    """Sentences as lines, two each at most."""
    lines = [textwrap.wrap(line, WIDTH, subsequent_indent="  ", max_lines=2, placeholder=" …") for line in said]
    return list(itertools.chain(*lines))


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _labels(sizes: list[str], width: int) -> dict[str, str]:
    """IOVA sizes within ``width`` letters: of longer ones what is before the last is cut, or the end; those alike then
    are numbered."""
    cut = {}
    for size in sizes:
        last = size[size.rfind(",") :]
        tail = f"…{last}" if len(last) < width - len("mix ") else "…"
        cut[size] = size if len(size) <= width else f"{size[: width - len(tail)]}{tail}"
    alike = [size for size in sizes if list(cut.values()).count(cut[size]) > 1]
    return cut | {size: f"{size[: width - 5]}… #{number}" for number, size in enumerate(alike, 1)}


def _title(view: View) -> str:
    sides = "before = {}, after = {}".format(*view.shown) if view.pair else f"policy {view.shown[0]}"
    every, none = int(view.loads["scenarios"].sum()), int(view.loads["undecided"].sum())
    open_ = f" ({none:,} without a verdict)" if none else ""
    return f"{count(every, 'scenario')}{open_}; {sides}; the worst over everything not named"


def _header(view: View) -> list[str]:
    sides = ("before", "after") if view.pair else view.shown
    return ["IOVA size", *(f"{what} {side}" for what in ("safe rate", "locks up") for side in sides), "peak MiB"]


def _size_lines(view: View) -> list[list[str]]:
    line = ("policy", "size_order", "size_row")
    rates = {(r["policy"], r["size_order"]): r for r in safe_rates(view.loads, line).iter_rows(named=True)}
    rows = view.loads.select("size_order", "size_row").unique().sort("size_order")
    lines = []
    for order, row in rows.iter_rows():
        sides = [view.loads.filter(size_order=order, policy=policy) for policy in view.shown]
        safe = [short_safe_text(rates.get((policy, order))) for policy in view.shown]
        memory = [mib(highest(side["memory_peak_bytes"])) for side in sides]
        lines.append([row, *safe, *map(onset, sides), " -> ".join(memory)])
    return lines


def short_safe_text(side: dict[str, Any] | None) -> str:
    """A line of ``answers.safe_rate`` as the terminal shows it; None: nothing was run."""
    if side is None:
        return "not run"
    if side["stop"] == "":
        return f"{si(side['safe_per_s'])} (all)"
    open_ = "?" if side["stop"] == "undecided" else ""
    return f"none{open_}" if side["safe_per_s"] is None else f"{si(side['safe_per_s'])}{open_}"


def onset(side: pl.DataFrame) -> str:
    """On which machines these loads lock up, else how much of them chains or is not known, as text; !: see _doubts."""
    return _onset(side) + " !" * bool(side["expecting"].sum())


def _onset(side: pl.DataFrame) -> str:
    if side.is_empty():
        return "not run"
    locked = side.filter(pl.col("locked") > 0)["cpus"]
    if len(locked):
        most = highest(side["cpus"]) or 0
        return f"{reach(lowest(locked) or 0, highest(locked) or 0, most, '{:g}'.format)} CPUs"
    parts = [f"{side[name].sum()} {word}" for name, word in (("chained", "chain"), ("undecided", "unknown"))]
    said = ", ".join(part for part in parts if not part.startswith("0 "))
    return f"never ({said})" if said else "never"


def _pair_lines(paired: Paired, before: str, after: str) -> list[str]:
    counted = paired.added.filter(before=before, after=after)
    if counted.is_empty():
        return ["no scenario was run under both policies"]
    found = counted.row(0, named=True)
    parts = ", ".join(f"{found[name]:,} {text}" for name, text in zip(CLASSES, CLASS_TEXT, strict=True))
    pairs_line = f"{count(found['pairs'], 'pair')}: {parts}"
    added = most_added(paired, before, after)
    if added is None:
        return [pairs_line, "no pair was run on both sides: nothing to say of memory"]
    return [
        pairs_line,
        f"the patch adds {mib(added.median_bytes)} MiB of peak memory at the median, {mib(added.most_bytes)} MiB"
        f" at most ({added.cpus} CPUs, {pages(added.iova_pages)})",
    ]


def _doubts(view: View, labels: dict[str, str]) -> list[str]:
    """What "safe" hides: runs too short to tell, lockups to expect all the same, rates that do not come about, loads
    the model is not known to be right for. A line each, where there is something."""
    loads = view.loads.filter(pl.col("policy").is_in(view.shown))
    names = ("scenarios", "undecided", "implied", "unchecked", "expecting", "cut", "short")
    every, none, implied, unchecked, doubtful, cut, short = (int(loads[name].sum()) for name in names)
    said = [too_short(short)] if short else []
    if doubtful:
        said.append(expecting(doubtful))
    if cut:
        said.append(cut_off(cut))
    side = dict(zip(view.shown, (" before", " after"), strict=True)) if view.pair else {}
    share = pl.col("achieved_per_s") / pl.col("safe_per_s")
    slow = safe_rates(loads, ("policy", "size_order", "size_row")).filter(share < LITTLE)
    named = [
        f"{labels[row['size_row']]}{side.get(row['policy'], '')} {si(row['achieved_per_s'])} of {si(row['safe_per_s'])}"
        for row in slow.sort(share, maintain_order=True).iter_rows(named=True)
    ]
    if named:
        more = f", {len(named) - 2} more" if len(named) > 2 else ""
        said.append(f"achieved at the safe rate: {', '.join(named[:2])}{more}")
    if unchecked:
        ran = every - none - implied
        are = "is" if unchecked == 1 else "are"
        said.append(f"{unchecked:,} of {ran:,} run {are} outside the range in which the model was checked: trust less")
    return said


def _other_line(loads: pl.DataFrame, others: tuple[str, ...]) -> str:
    sides = {policy: loads.filter(policy=policy) for policy in others}
    shares = [f"{p} {int(side['locked'].sum()) / int(side['scenarios'].sum()):.0%}" for p, side in sides.items()]
    return f"share locked up with the others: {', '.join(shares)}"


def _columns(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
