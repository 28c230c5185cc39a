"""A document as one HTML page that needs nothing else: no scripts, no network, figures inside.

Its content security policy lets a browser load nothing but the page's own styles and pictures. A figure is an image of
its own, so that neither its ids nor anything else in it can meet the page's. The same document gives the same bytes.
"""

from __future__ import annotations

import base64
from html import escape
from importlib import resources

from sweep.document import Block, Bullets, Code, Document, Figure, Paragraph, Section, Table
from sweep.document.text import shown

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(document: Document) -> str:
    """The whole page."""
    title, style = _text(document.title), resources.files("sweep.document").joinpath("page.css").read_text("utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
</header>
{_contents(document.sections)}<main>
{"".join(map(_block, document.lead))}{"".join(_section(*each) for each in enumerate(document.sections, 1))}</main>
</body>
</html>
"""


def _text(text: str) -> str:
    return escape(shown(text))


def _contents(sections: tuple[Section, ...]) -> str:
    if len(sections) < 2:
        return ""
    links = "".join(f'<li><a href="#s{i}">{_text(section.title)}</a></li>\n' for i, section in enumerate(sections, 1))
    return f'<nav aria-label="Contents">\n<ol>\n{links}</ol>\n</nav>\n'


def _section(number: int, section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="s{number}">\n<h2>{_text(section.title)}</h2>\n{blocks}</section>\n'


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_text(text)}</p>\n"
        case Bullets(items):
            return "<ul>\n" + "".join(f"<li>{_text(item)}</li>\n" for item in items) + "</ul>\n"
        case Code(text):
            return f"<pre>{_text(text)}</pre>\n"
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)


def _table(table: Table) -> str:
    numeric = [' class="n"' if column.numeric else "" for column in table.columns]
    names = [f'<th scope="col"{n}>{_text(c.name)}</th>' for n, c in zip(numeric, table.columns, strict=True)]
    rows = [names, *(_row(row, numeric) for row in table.rows)]
    head, *body = ("<tr>" + "".join(cells) + "</tr>\n" for cells in rows)
    return _scrolling(
        table.title,
        f"<table>\n<caption>{_text(table.title)}</caption>\n<thead>\n{head}</thead>\n"
        f"<tbody>\n{''.join(body)}</tbody>\n</table>\n",
    ) + _note(table.note)


def _row(row: tuple[str, ...], numeric: list[str]) -> list[str]:
    """The first cell says what the row is about."""
    tags = [("th", f' scope="row"{numeric[0]}'), *(("td", n) for n in numeric[1:])]
    return [f"<{tag}{more}>{_text(cell)}</{tag}>" for (tag, more), cell in zip(tags, row, strict=True)]


def _figure(figure: Figure) -> str:
    source = base64.b64encode(shown(figure.svg).encode()).decode()
    picture = f'<img alt="{_text(figure.alt)}" src="data:image/svg+xml;base64,{source}">\n'
    return (
        f"<figure>\n<figcaption>{_text(figure.title)}</figcaption>\n"
        f"{_scrolling(figure.title, picture)}{_note(figure.note)}</figure>\n"
    )


def _scrolling(name: str, markup: str) -> str:
    """What may be wider than a phone scrolls by itself, by keyboard too; ``name`` is what a screen reader calls it."""
    return f'<div class="wide" role="group" tabindex="0" aria-label="{_text(name)}">\n{markup}</div>\n'


def _note(note: str) -> str:
    return f'<p class="note">{_text(note)}</p>\n' if note else ""
