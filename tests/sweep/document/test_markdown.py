from __future__ import annotations

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from sweep.document import Bullets, Code, Column, Document, Figure, Paragraph, Section, Table
from sweep.document.markdown import to_markdown
from sweep.document.text import one_line
from tests.sweep.document.documents import HOSTILE, everywhere

CELLS = st.lists(st.lists(st.text(), min_size=2, max_size=2).map(tuple), max_size=3)
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def unescaped(text: str) -> str:
    """What a reader sees of an escaped text."""
    return html.unescape(ESCAPE.sub(lambda found: f"&#{ord(found[1])};", text))


def table_of(page: str) -> list[list[str]]:
    """Its cells: lines cut at each | that no odd number of backslashes is before."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [re.findall(r"((?:\\.|[^|\\])*)\|", line)[1:] for line in lines]


@given(CELLS)
@example([("a|b", "\\|"), ("\\", "\n| c |"), ("", " ")])
@example([(text, text) for text in HOSTILE])
def test_a_table_holds_its_cells(rows: list[tuple[str, ...]]) -> None:
    page = to_markdown(Document("d", (Table("t", (Column("a"), Column("b", True)), tuple(rows)),), ()))
    found = [[unescaped(cell.strip(" ")) for cell in row] for row in table_of(page)]
    assert found == [["a", "b"], *([one_line(cell) for cell in row] for row in rows)]
    assert "\n|-|-:|\n" in page


def with_hostile_texts(test):  # type: ignore[no-untyped-def]
    for text in HOSTILE:
        test = example(text)(test)
    return given(st.text())(test)


@with_hostile_texts
def test_no_text_becomes_markup(text: str) -> None:
    """Of what is left when all escapes are gone, nothing can begin markup, in a line or as a line."""
    for block, opening in ((Paragraph(text), ""), (Bullets((text,)), "- ")):
        page = to_markdown(Document("d", (block,), ()))
        line = page.removeprefix("# d\n").strip("\n").removeprefix(opening)
        left = re.sub("&(?:lt|gt|amp);", "x", ESCAPE.sub("x", line))
        assert not re.search(r"[\\`*\[\]|~#$@<>&\n]|://|\b_|_\b|^(?:[-+=\s]|\d+[.)])", left)
        assert unescaped(line) == one_line(text)


@with_hostile_texts
def test_code_stays_in_its_fence(text: str) -> None:
    first, *code, last = to_markdown(Document("d", (Code(text),), ())).split("\n")[2:-1]
    assert first == last == "`" * len(first)
    assert not any(line.strip().startswith(first) for line in code)


def test_figures_are_links_to_files() -> None:
    figure = Figure("phase map", "It locks up", "<svg/>", "a [map]", "by cell")
    page = to_markdown(Document("d", (), (Section("s", (figure,)),)), "pictures")
    assert page == "# d\n\n## s\n\n**It locks up**\n\n![a \\[map\\]](pictures/phase%20map.svg)\n\nby cell\n"


def test_names_of_columns_stay_readable() -> None:
    page = to_markdown(Document("d", (Paragraph("rb_visit_ns of 5.15, up to ~5 ms; _x_"),), ()))
    assert page == "# d\n\nrb_visit_ns of 5.15, up to \\~5 ms; \\_x\\_\n"


def test_every_kind_of_block_is_there() -> None:
    page = to_markdown(everywhere("plain"))
    assert page.startswith("# plain\n\nplain\n\n- plain\n- plain\n\n```\nplain\n```\n\n**plain**\n\n| plain |")
    assert page.count("## plain") == 2
    to_markdown(everywhere("".join(HOSTILE))).encode()
