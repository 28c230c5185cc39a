"""Reads the text of ``perf script``, ``trace-cmd report`` or ftrace's trace and trace_pipe, block by block.

Source of the two events' texts: include/trace/events/iommu.h. Linux 5.15 says ``iova=0x..`` and 6.x ``iova=0x.. -
0x..``; otherwise they are the same.
"""

from __future__ import annotations

import gzip
import lzma
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from workers.schema import ScenarioError

BLOCK_BYTES = 1 << 23
PIECE_BYTES = 1 << 12
"""Read at once: a read that meets damage gives nothing of what it has decoded."""

DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
LONGEST_LINE_BYTES = 1 << 16
EVENT = (
    r"\[(\d{1,4})\]\s+(?:[^\s:]+\s+)?(\d{1,9})\.(\d{1,9}):\s+(?:iommu:)?(map|unmap):\s+"
    r"IOMMU: iova=0x0*([0-9a-f]{1,15})(?: - 0x[0-9a-f]+)?(?: paddr=0x[0-9a-f]+)? size=(\d{1,18})"
    r"(?: unmapped_size=\d+)?\s*$"
)
LOST = r"\[LOST (\d+) EVENTS\]|PERF_RECORD_LOST\S* lost (\d+)|\[(\d+) EVENTS DROPPED\]"
PROCESSORS = r"^#.*#P:(\d+)|^cpus=(\d+)\s*$"
WRITTEN = r"^# entries-in-buffer/entries-written: (\d+)/(\d+)"
HARMLESS = r"^\s*$|^#|^cpus=\d+\s*$|^\s+[0-9a-f]{6,16} "
"""Blank lines, headers, and the call stacks of ``perf record -g``."""

ANOTHER_EVENT = r"\[\d+\].*\d+\.\d+:\s+\S+"
MAGIC = {b"PERFILE2": "perf script", b"\x17\x08Dtracing": "trace-cmd report"}
"""What binary recordings begin with, and the command that makes text of them."""


@dataclass(frozen=True)
class Events:
    """Events in the order of their times, arrays of shape (events,): ns, CPU, unmap or map, first byte, bytes."""

    time_ns: np.ndarray
    cpu: np.ndarray
    unmap: np.ndarray
    iova: np.ndarray
    size_bytes: np.ndarray


@dataclass
class Seen:
    """What the lines were: ``damaged`` ones say map or unmap but cannot be read, or are no line of a trace at all.

    ``lost``: events that the tracer says it lost; ``overwritten``: those that ftrace's ring buffers no longer held;
    ``cpus``: of the machine, where a header says so.
    """

    lines: int = 0
    events: int = 0
    damaged: int = 0
    others: int = 0
    lost: int = 0
    overwritten: int = 0
    cpus: int = 0
    first_damaged: list[str] = field(default_factory=list)


def blocks(path: str, seen: Seen) -> Iterator[Events]:
    """The events of a trace in the order of their times, some ten thousand at a time; counts lines in ``seen``.

    ``path``: plain, gzip or xz, ``-`` for standard input. Raises ScenarioError where it cannot be read, and where
    lines are out of order by more than half a block: CPUs' records one behind the other, or the newest line first.
    """
    held, given_ns = None, -1
    for events in _unordered(path, seen):
        both = _sorted([held, events] if held else [events])
        if len(both.time_ns) and both.time_ns[0] < given_ns:
            back_s = (given_ns - int(both.time_ns[0])) / 1e9
            raise ScenarioError(
                f"{path} was given; its lines are not in the order of their times: by line {seen.lines} they go back"
                f" by {back_s:.3g} s; sort them by time"
            )
        half = len(both.time_ns) // 2  # what follows may belong before the rest
        first, held = _cut(both, slice(half)), _cut(both, slice(half, None))
        if half:
            given_ns = int(first.time_ns[-1])
            yield first
    if held:
        yield held


def _columns(events: Events) -> list[np.ndarray]:
    return [events.time_ns, events.cpu, events.unmap, events.iova, events.size_bytes]


def _cut(events: Events, some: slice) -> Events:
    return Events(*(column[some] for column in _columns(events)))


def _sorted(several: list[Events]) -> Events:
    """As one, by time; trace_pipe may print CPUs a little out of order."""
    columns = [np.concatenate(parts) for parts in zip(*map(_columns, several), strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Events(*(column[order] for column in columns))


def _unordered(path: str, seen: Seen) -> Iterator[Events]:
    """The events block by block, in the order of the lines."""
    left = b""
    try:
        with _raw(path) as raw, _unpacked(raw, path) as file:
            for block in _decoded(file):
                whole, newline, left = (left + block).rpartition(b"\n")
                if newline:
                    yield _events(whole, seen)
                elif len(left) > LONGEST_LINE_BYTES:
                    raise ScenarioError(f"{path} was given; it is no text with lines")
            if left:
                yield _events(left, seen)
    except DAMAGE as error:
        where = f"after line {seen.lines}" if seen.lines else "from the start"
        raise ScenarioError(f"{path} was given; its compressed data are damaged {where} ({error})") from None
    except OSError as error:
        raise ScenarioError(f"{path} was given; it cannot be read ({error.strerror or error})") from None


def _decoded(file: Any) -> Iterator[bytes]:
    """The bytes of a file in blocks; raises one of DAMAGE, when all that decodes before it has been given."""
    block = bytearray()
    try:
        while piece := file.read1(PIECE_BYTES):
            block += piece
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
    except DAMAGE:
        yield bytes(block)
        raise
    yield bytes(block)


def _raw(path: str) -> Any:
    return sys.stdin.buffer if path == "-" else open(path, "rb")


def _unpacked(raw: Any, path: str) -> Any:
    """What is in the file, by how it begins; raises ScenarioError for a recording that is no text."""
    first = raw.peek(10)
    for magic, command in MAGIC.items():
        if first.startswith(magic):
            raise ScenarioError(f"{path} was given; it is a binary recording: give the output of {command}")
    if first.startswith(b"\x1f\x8b"):
        return gzip.open(raw)
    return lzma.open(raw) if first.startswith(b"\xfd7zXZ\0") else raw


def _events(block: bytes, seen: Seen) -> Events:
    lines = pl.Series("line", block.decode("utf-8", "replace").split("\n"))
    found = pl.DataFrame(lines).with_columns(pl.col("line").str.extract_groups(EVENT).alias("found"))
    cut = found.filter(pl.col("found").struct.field("1").is_not_null()).select(pl.col("found").struct.unnest())
    _count(found.filter(pl.col("found").struct.field("1").is_null())["line"], seen)
    seen.lines += len(lines)
    seen.events += cut.height
    fraction = pl.col("3").str.pad_end(9, "0").str.head(9).cast(pl.Int64)
    typed = cut.select(
        (pl.col("2").cast(pl.Int64) * 1_000_000_000 + fraction).alias("time_ns"),
        pl.col("1").cast(pl.Int64).alias("cpu"),
        (pl.col("4") == "unmap").alias("unmap"),
        pl.col("5").str.to_integer(base=16).alias("iova"),
        pl.col("6").cast(pl.Int64).alias("size_bytes"),
    )
    return Events(*(typed[name].to_numpy() for name in typed.columns))


def _count(rest: pl.Series, seen: Seen) -> None:
    """What the lines are that are no event of ours."""
    seen.cpus = max([seen.cpus, *(max(numbers) for numbers in _numbers(rest, PROCESSORS))])
    seen.lost += sum(max(numbers) for numbers in _numbers(rest, LOST))
    seen.overwritten += sum(max(numbers) - min(numbers) for numbers in _numbers(rest, WRITTEN))
    rest = rest.filter(~rest.str.contains(f"{HARMLESS}|{LOST}"))
    damaged = ~rest.str.contains(ANOTHER_EVENT) | rest.str.contains(r"\b(map|unmap):|IOMMU: iova=")
    seen.others += len(rest) - int(damaged.sum())
    seen.damaged += int(damaged.sum())
    seen.first_damaged += rest.filter(damaged).head(3 - len(seen.first_damaged)).to_list()


def _numbers(lines: pl.Series, pattern: str) -> list[list[int]]:
    """The numbers in the pattern's groups, for each line where it is found."""
    groups = lines.filter(lines.str.contains(pattern)).str.extract_groups(pattern).struct.unnest()
    return [[int(text) for text in row if text is not None] for row in groups.iter_rows()]
