"""What a report says, before it is HTML or Markdown: plain data, made by whoever knows and rendered by html.py and
markdown.py.

All texts are plain: a renderer escapes whatever its format could take for markup, so that no string of a user's (an
id, a host's name, a path) can become any.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Commands or other text that is shown as it stands, line by line."""

    text: str


@dataclass(frozen=True)
class Column:
    """A table's column: its name as shown, with the unit; numbers are set to the right."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Cells as shown, one tuple a row, as many in each as there are columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """One SVG picture. `title` states the finding, `alt` says in words what the picture shows, `name` is its file's."""

    name: str
    title: str
    svg: str
    alt: str
    note: str = ""


Block = Paragraph | Bullets | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """A titled part of a document."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report; `lead` is what a reader who stops here should know."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]
