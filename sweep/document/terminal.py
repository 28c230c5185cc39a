"""Blocks of a document as plain text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from sweep.document import Block, Bullets, Code, Figure, Paragraph, Table

WIDTH = 100
"""Columns that paragraphs are wrapped at; tables are as wide as they are."""


def to_terminal(blocks: Iterable[Block]) -> str:
    """The blocks, an empty line between them; of a figure its title and what it shows in words.

    Control characters in texts of a user's, which a terminal might obey, are shown as ``?``.
    """
    return "\n\n".join("\n".join(map(_harmless, _lines(block))) for block in blocks)


def _lines(block: Block) -> list[str]:
    match block:
        case Paragraph(text):
            return textwrap.wrap(text, WIDTH)
        case Bullets(items):
            return [line for item in items for line in textwrap.wrap(f"- {item}", WIDTH, subsequent_indent="  ")]
        case Code(text):
            return [f"    {line}" for line in text.splitlines()]
        case Table():
            return _table(block)
        case Figure(title=title, alt=alt):
            return textwrap.wrap(f"[{title}: {alt}]", WIDTH)


def _table(table: Table) -> list[str]:
    rows = [tuple(column.name for column in table.columns), *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in rows
    ]
    titled = [table.title] if table.title else []
    return [*titled, *lines, *(textwrap.wrap(table.note, WIDTH) if table.note else [])]


def _harmless(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)
