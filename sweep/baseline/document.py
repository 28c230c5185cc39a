"""A comparison as text for the terminal, and as a document for Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sweep.baseline.changes import Change
from sweep.baseline.compare import Comparison
from sweep.document import Block, Bullets, Code, Column, Document, Paragraph, Section, Table
from sweep.report.answers.words import count

WIDTH = 100
MOST_SHOWN = 12
"""Entries that the terminal shows; the files name all lines."""


def headline(found: Comparison) -> str:
    """The answer in one sentence."""
    every = count(len(found.labels), "line")
    if found.holds:
        return f"baseline {found.grid}: nothing moved on {every}"
    worse = sum(line.worse for line in found.moved)
    said = [f"{len(found.moved)} of {every} moved, {worse} for the worse"] if found.moved else []
    said += [count(len(found.added), "line is new", "lines are new")] if found.added else []
    said += [count(len(found.removed), "line is gone", "lines are gone")] if found.removed else []
    return f"baseline {found.grid}: {'; '.join(said)}"


def text(found: Comparison) -> str:
    """What moved, for the terminal: at most MOST_SHOWN entries of each kind, lines that moved alike being one."""
    out = [headline(found), *(f"  differs: {cause}" for cause in found.causes[:MOST_SHOWN])]
    alike = _alike(found)
    for changes, labels in list(alike.items())[:MOST_SHOWN]:
        more = len(labels) - 1
        others = f" and {more} other line{'s' if more > 1 else ''}" if more else ""
        for change in changes:
            said = f"{labels[0]}{others}: {sentence(change)}"
            out += textwrap.wrap(said, WIDTH, initial_indent="  ", subsequent_indent="      ")
    for what, named in (("not in the baseline", found.added), ("in the baseline only", found.removed)):
        out += [f"  {what}: {label}" for label in named[:MOST_SHOWN]]
    left = sum(map(len, list(alike.values())[MOST_SHOWN:]))
    left += sum(max(0, len(named) - MOST_SHOWN) for named in (found.added, found.removed))
    return "\n".join(out + ([f"  and {count(left, 'more line')}"] if left else []))


def _alike(found: Comparison) -> dict[tuple[Change, ...], list[str]]:
    """The labels of lines that moved in exactly the same way: policies and sizes often do not matter."""
    alike: dict[tuple[Change, ...], list[str]] = {}
    for line in found.moved:
        alike.setdefault(line.changes, []).append(line.label)
    return alike


def sentence(change: Change) -> str:
    """From where to where, and why it matters."""
    return f"{change.text}: {change.why}" if change.why else change.text


def document(found: Comparison, update: str) -> Document:
    """The same in full; ``update``: the command that makes the new figures the baseline."""
    lead: list[Block] = [Paragraph(headline(found) + ".")]
    if not found.holds:
        what = "A line is everything of a scenario but its rate. If what moved is meant, record it:"
        lead += [Paragraph(what), Code(update)]
    return Document("Against the baseline", tuple(lead), tuple(_sections(found)))


def _sections(found: Comparison) -> Iterator[Section]:
    if found.causes:
        yield Section("What else differs", (Bullets(found.causes),))
    if found.moved:
        rows = tuple(
            (line.label if first else "", "worse" if change.worse else "better", change.text, change.why)
            for line in found.moved
            for first, change in zip((True, *[False] * len(line.changes)), line.changes, strict=False)
        )
        columns = (Column("line"), Column(""), Column("what moved"), Column("why it matters"))
        yield Section("What moved", (Table("Lines that moved, the worst first", columns, rows),))
    if found.added:
        yield Section("Not in the baseline", (Bullets(found.added),))
    if found.removed:
        yield Section("In the baseline only", (Bullets(found.removed),))
