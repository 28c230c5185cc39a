"""A document as Markdown with GitHub's tables; figures are links to files.

Whatever Markdown or HTML could take for markup is escaped, so that a text shows as it is written and cannot become
any: not a link or an element, and not another cell or row of a table either.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from sweep.document import Block, Bullets, Code, Document, Figure, Paragraph, Table
from sweep.document.text import one_line, shown

HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MARKUP = re.compile(r"[\\`*\[\]|~#$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.", re.I)
"""Within a line. An _ between letters emphasises nothing; ://, www., @ and # make links on GitHub."""

OPENING = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
"""What at the beginning of a line makes a list, a rule or a heading of it."""


def to_markdown(document: Document, figures: str = "figures") -> str:
    """The whole text; ``figures``: the folder, beside it, that holds NAME.svg of each figure."""
    parts = [f"# {_inline(document.title)}", *_blocks(document.lead, figures)]
    for section in document.sections:
        parts += [f"## {_inline(section.title)}", *_blocks(section.blocks, figures)]
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: tuple[Block, ...], figures: str) -> list[str]:
    return [text for block in blocks if (text := _block(block, figures))]


def _block(block: Block, figures: str) -> str:
    match block:
        case Paragraph(text):
            return _line(text)
        case Bullets(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Code(text):
            return _code(shown(text))
        case Table():
            return _paragraphs(_bold(block.title), _table(block), _line(block.note))
        case Figure():
            picture = f"![{_inline(block.alt)}]({quote(figures)}/{quote(block.name)}.svg)"
            return _paragraphs(_bold(block.title), picture, _line(block.note))


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def _inline(text: str) -> str:
    """For a place within a line."""
    escaped = MARKUP.sub(lambda found: f"\\{found[0]}", one_line(text))
    return re.sub("[&<>]", lambda found: HTML[found[0]], escaped)


def _line(text: str) -> str:
    """For a line of its own."""
    line = _inline(text)
    opening = OPENING.match(line)
    if opening is None:
        return line
    end = opening.end() if opening[0].isdigit() else 0
    return f"{line[:end]}\\{line[end:]}"


def _bold(text: str) -> str:
    return f"**{_inline(text)}**" if text.strip() else ""


def _code(text: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _table(table: Table) -> str:
    names = tuple(column.name for column in table.columns)
    rule = "|".join("-:" if column.numeric else "-" for column in table.columns)
    head, *body = (
        "| " + " | ".join(_inline(cell) for _, cell in zip(names, row, strict=True)) + " |"
        for row in (names, *table.rows)
    )
    return "\n".join([head, f"|{rule}|", *body])
