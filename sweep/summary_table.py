"""The short table at the end of a run: what is safe, where it locks up, what the patch does and costs."""

from __future__ import annotations

import textwrap

import polars as pl

from sweep.aggregate import by_load, highest, lowest
from sweep.config import RATE
from sweep.map import si
from sweep.pairs import CLASSES, pairs, policies

WIDTH = 100
LABEL = 16
CLASS_TEXT = ("safe in both", "fixed by the patch", "broken by it", "locked in both")


def table(results: pl.LazyFrame, paired: pl.LazyFrame | None = None) -> str:
    """The table of results as text: at most 25 lines of at most 100 columns.

    ``paired``: their ``sweep.pairs``, where somebody has them already.
    """
    frame, present = by_load(results), policies(results)
    shown, others = present[:2], present[2:]
    lines = [_title(frame, shown), "safe rate: the highest of unmaps/s per active CPU below every soft lockup", ""]
    lines += _columns([_header(shown), *_size_lines(frame, shown)])
    if len(shown) == 2:
        both = pairs(results) if paired is None else paired
        lines += ["", *_pair_lines(both.filter(before=shown[0], after=shown[1]))]
    if others:
        lines += textwrap.wrap(_other_line(frame, others), WIDTH, max_lines=3)
    return "\n".join(line[:WIDTH].rstrip() for line in lines)


def _title(frame: pl.DataFrame, shown: list[str]) -> str:
    sides = f"before = {shown[0]}, after = {shown[1]}" if len(shown) == 2 else f"policy {shown[0]}"
    return f"{frame['scenarios'].sum():,} scenarios; {sides}; the worst over everything not named"


def _header(shown: list[str]) -> list[str]:
    sides = ("before", "after") if len(shown) == 2 else (shown[0],)
    return ["IOVA size", *(f"{what} {side}" for what in ("safe rate", "locks up") for side in sides), "peak MiB"]


def _size_lines(frame: pl.DataFrame, shown: list[str]) -> list[list[str]]:
    rows = frame.select("size_row", "size_order").unique().sort("size_order")["size_row"]
    lines = []
    for row in rows:
        sides = [frame.filter(size_row=row, policy=policy) for policy in shown]
        memory = [_mib(highest(side["memory_peak_bytes"])) for side in sides]
        lines.append([row[:LABEL], *map(safe_rate, sides), *map(onset, sides), " -> ".join(memory)])
    return lines


def safe_rate(side: pl.DataFrame) -> str:
    """The highest nominal unmap rate of a CPU up to which no scenario of these groups locks up, as text."""
    lowest_locked = lowest(side.filter(pl.col("locked") > 0)[RATE])
    if lowest_locked is None:
        top = highest(side[RATE])
        return "not run" if top is None else f"{si(top)} (all)"
    safe = highest(side.filter(pl.col(RATE) < lowest_locked)[RATE])
    return "none" if safe is None else si(safe)


def onset(side: pl.DataFrame) -> str:
    """From how many CPUs on these groups lock up, else how much of them chains, as text."""
    if side.is_empty():
        return "not run"
    cpus = lowest(side.filter(pl.col("locked") > 0)["cpus"])
    if cpus is not None:
        return f"from {cpus} CPUs"
    chained = side["chained"].sum()
    return f"never ({chained} chain)" if chained else "never"


def _pair_lines(paired: pl.LazyFrame) -> list[str]:
    counted = paired.select(
        pl.len(),
        *((pl.col("class") == name).sum().alias(name) for name in CLASSES),
        pl.col("memory_added_bytes").quantile(0.5, "nearest").alias("median"),
        pl.col("memory_added_bytes").max().alias("most"),
    )
    found = counted.collect().row(0, named=True)
    if not found["len"]:
        return ["no scenario was run under both policies"]
    parts = ", ".join(f"{found[name]:,} {text}" for name, text in zip(CLASSES, CLASS_TEXT, strict=True))
    pairs_line = f"{found['len']:,} pairs: {parts}"
    if found["most"] is None:
        return [pairs_line, "no pair was run on both sides: nothing to say of memory"]
    at_most = paired.filter(memory_added_bytes=found["most"]).select("cpus", "iova_pages")
    at = at_most.sort("cpus", "iova_pages").head(1).collect().row(0, named=True)
    return [
        pairs_line,
        f"the patch adds {_mib(found['median'])} MiB of peak memory at the median, {_mib(found['most'])} MiB at most"
        f" ({at['cpus']} CPUs, {at['iova_pages'][:LABEL]} pages)",
    ]


def _other_line(frame: pl.DataFrame, others: list[str]) -> str:
    shares = []
    for policy in others:
        side = frame.filter(policy=policy)
        shares.append(f"{policy} {int(side['locked'].sum()) / int(side['scenarios'].sum()):.0%}")
    return f"share locked up with the others: {', '.join(shares)}"


def _mib(size_bytes: float | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 2**20:.3g}"


def _columns(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
