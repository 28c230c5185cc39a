from __future__ import annotations

import base64
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweep.document import Column, Document, Figure, Section, Table
from sweep.document.html import to_html
from sweep.document.text import shown
from tests.sweep.document.documents import HOSTILE, everywhere


class Page(HTMLParser):
    """Elements with the names of their attributes, in order, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.attributes: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment",))


PLAIN = Page(to_html(everywhere("plain")))


def with_hostile_texts(test):  # type: ignore[no-untyped-def]
    for text in HOSTILE:
        test = example(text)(test)
    return given(st.text(min_size=1))(test)


@with_hostile_texts
def test_no_text_adds_an_element_and_each_reads_as_written(text: str) -> None:
    page = Page(to_html(everywhere(text)))
    assert page.elements == PLAIN.elements
    if text.strip():
        assert page.texts.count(shown(text)) == PLAIN.texts.count("plain")
    assert page.attributes["alt"] == [shown(text)] * 2


def test_it_needs_nothing_else() -> None:
    assert not {"script", "link", "iframe", "object"} & {element[0] for element in PLAIN.elements}
    assert PLAIN.attributes["content"][0] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(source.startswith("data:") for source in PLAIN.attributes["src"])
    assert all(link.startswith("#") for link in PLAIN.attributes["href"])
    assert "url(" not in to_html(everywhere("plain"))


def test_the_contents_lead_to_the_sections() -> None:
    assert [link.removeprefix("#") for link in PLAIN.attributes["href"]] == PLAIN.attributes["id"] == ["s1", "s2"]
    assert "<nav" not in to_html(Document("one", (), (Section("only", ()),)))


def test_a_figure_is_its_svg() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>µs "</text></svg>'
    page = Page(to_html(Document("d", (Figure("f", "finding", svg, "in words"),), ())))
    kind, _, data = page.attributes["src"][0].partition(",")
    assert (kind, base64.b64decode(data).decode()) == ("data:image/svg+xml;base64", svg)


def test_cells_say_what_they_head() -> None:
    page = to_html(Document("d", (Table("t", (Column("CPUs"), Column("MiB", True)), (("8", "1.5"),)),), ()))
    for markup in (
        "<caption>t</caption>",
        '<th scope="col">CPUs</th><th scope="col" class="n">MiB</th>',
        '<th scope="row">8</th><td class="n">1.5</td>',
    ):
        assert markup in page


def test_a_row_with_a_cell_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        to_html(Document("d", (Table("t", (Column("CPUs"),), (("8", "9"),)),), ()))


def test_equal_documents_give_equal_bytes() -> None:
    assert to_html(everywhere("plain")) == to_html(everywhere("plain"))
    to_html(everywhere("".join(HOSTILE))).encode()
