"""The short table at the end of a run: what is safe, where it locks up, what the patch does and costs."""

from __future__ import annotations

import textwrap
from pathlib import Path

import polars as pl

from sweep.aggregate import CLASSES, highest, lowest, pairs, policies, read_results, size_rows, with_rate
from sweep.config import RATE
from sweep.map import si

WIDTH = 100
LABEL = 16
CLASS_TEXT = ("safe in both", "fixed by the patch", "broken by it", "locked in both")


def render(results_path: Path) -> str:
    """The table of a results.parquet as text: at most 25 lines of at most 100 columns."""
    return table(read_results(results_path))


def table(frame: pl.DataFrame) -> str:
    """The table of a results frame; see ``render``."""
    frame = size_rows(with_rate(frame))
    shown = policies(frame)[:2]
    lines = [_title(frame, shown), "safe rate: the highest of unmaps/s per active CPU below every soft lockup", ""]
    lines += _columns([_header(shown), *_size_lines(frame, shown)])
    if len(shown) == 2:
        lines += ["", *_pair_lines(pairs(frame).filter(before=shown[0], after=shown[1]))]
    others = policies(frame)[2:]
    if others:
        lines += textwrap.wrap(_other_line(frame, others), WIDTH, max_lines=3)
    return "\n".join(line[:WIDTH].rstrip() for line in lines)


def _title(frame: pl.DataFrame, shown: list[str]) -> str:
    sides = f"before = {shown[0]}, after = {shown[1]}" if len(shown) == 2 else f"policy {shown[0]}"
    return f"{frame.height:,} scenarios; {sides}; the worst over everything not named"


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
    """The highest nominal unmap rate of a CPU up to which no scenario of ``side`` locks up, as text."""
    lowest_locked = lowest(side.filter(verdict="soft_lockup")[RATE])
    if lowest_locked is None:
        top = highest(side[RATE])
        return "not run" if top is None else f"{si(top)} (all)"
    safe = highest(side.filter(pl.col(RATE) < lowest_locked)[RATE])
    return "none" if safe is None else si(safe)


def onset(side: pl.DataFrame) -> str:
    """From how many CPUs on ``side`` locks up, else how much of it chains, as text."""
    if side.is_empty():
        return "not run"
    cpus = lowest(side.filter(verdict="soft_lockup")["cpus"])
    if cpus is not None:
        return f"from {cpus} CPUs"
    chained = side.filter(verdict="chained").height
    return f"never ({chained} chain)" if chained else "never"


def _pair_lines(paired: pl.DataFrame) -> list[str]:
    if paired.is_empty():
        return ["no scenario was run under both policies"]
    counts = [paired.filter(pl.col("class") == name).height for name in CLASSES]
    parts = ", ".join(f"{count:,} {text}" for count, text in zip(counts, CLASS_TEXT, strict=True))
    added = paired["memory_added_bytes"]
    at = paired.row(added.arg_max() or 0, named=True)
    median, most = added.quantile(0.5, "nearest"), highest(added)
    return [
        f"{paired.height:,} pairs: {parts}",
        f"the patch adds {_mib(median)} MiB of peak memory at the median, {_mib(most)} MiB at most"
        f" ({at['cpus']} CPUs, {at['iova_pages'][:LABEL]} pages)",
    ]


def _other_line(frame: pl.DataFrame, others: list[str]) -> str:
    shares = []
    for policy in others:
        side = frame.filter(policy=policy)
        shares.append(f"{policy} {side.filter(verdict='soft_lockup').height / side.height:.0%}")
    return f"share locked up with the others: {', '.join(shares)}"


def _mib(size_bytes: float | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 2**20:.3g}"


def _columns(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
