"""What a real browser makes of the pages: a report whose ids, names and errors are hostile, and every block at once."""

from __future__ import annotations

import json
import re
from itertools import cycle
from pathlib import Path

import polars as pl
import pytest

from sweep.document.html import to_html
from sweep.report.__main__ import main
from tests.browser.chromium import Page
from tests.sweep.document.documents import HOSTILE, everywhere
from tests.sweep.frames import boundary_frame
from tests.sweep.report.manifests import manifest

WIDTHS = (360, 1280)
PAGES = ("report/report.html", "everywhere.html")
ELEMENTS = re.compile(
    "html|head|meta|title|style|body|header|nav|main|section|div|h1|h2|p|ol|ul|li|a|pre"
    "|table|caption|thead|tbody|tr|th|td|figure|figcaption|img"
)
"""All that the renderer makes."""

ATTRIBUTES = "[...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))]"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the PAGES."""
    folder = tmp_path_factory.mktemp("pages")
    results = folder / "results"
    results.mkdir()
    table = boundary_frame(("array", "list", HOSTILE[0], HOSTILE[2]))
    hostile = cycle(text.encode(errors="replace").decode() for text in HOSTILE)
    rows = table.height
    ids = [f"{i} {next(hostile)}" for i in range(rows)]
    failed = pl.Series([i % 50 == 49 for i in range(rows)])
    table = table.with_columns(
        id=pl.Series(ids),
        status=pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok")),
        error=pl.when(failed).then(pl.Series(ids)),
        verdict=pl.when(~failed).then("verdict"),
    )
    table.write_parquet(results / "results.parquet")
    (results / "manifest.json").write_text(json.dumps(manifest(HOSTILE)))
    assert main([str(results), "--output", str(folder / "report")]) == 0
    (folder / "everywhere.html").write_text(to_html(everywhere(" ".join(HOSTILE))), encoding="utf-8", newline="")
    return folder


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_it_shows_and_can_be_used(page: Page, axe: str, made: Path, name: str, width: int) -> None:
    page.open(made / name, width)
    assert page.complaints() == []
    assert page.requests() == [(made / name).as_uri()]
    pictures = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0 && i.alt.length > 0)")
    assert pictures
    assert all(pictures)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate(f"{axe}; 0") == 0
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found))")
    violations = json.loads(found)["violations"]
    assert [(v["id"], v["help"], v["nodes"][0]["html"]) for v in violations] == []


def test_before_and_after_are_side_by_side_on_a_phone(page: Page, made: Path) -> None:
    page.open(made / PAGES[0], 390)
    heads = "[...document.querySelector('table').querySelectorAll('th[scope=col]')]"
    ends = page.evaluate(f"{heads}.slice(2, 5).map(head => head.getBoundingClientRect().right)")
    pictures = page.evaluate("[...document.images].map(image => image.getBoundingClientRect().right)")
    assert max(ends + pictures) <= 390


@pytest.mark.parametrize("name", PAGES)
def test_no_text_became_an_element(page: Page, made: Path, name: str) -> None:
    page.open(made / name, WIDTHS[-1])
    names = page.evaluate("[...document.querySelectorAll('*')].map(e => e.localName)")
    assert [name for name in names if not ELEMENTS.fullmatch(name)] == []
    assert not [name for name in page.evaluate(ATTRIBUTES) if name.startswith("on")]
    assert HOSTILE[0] in page.evaluate("document.body.innerText")


@pytest.mark.parametrize("name", PAGES)
def test_it_prints_with_no_figure_cut(page: Page, made: Path, name: str) -> None:
    page.open(made / name, WIDTHS[-1])
    assert page.pdf().startswith(b"%PDF-")
    heights_mm = page.in_print("[...document.querySelectorAll('figure')].map(f => f.offsetHeight * 25.4 / 96)")
    assert heights_mm
    assert max(heights_mm) < 297 - 2 * 14  # A4 less the margins of the style sheet


def test_a_figure_s_file_is_a_picture_and_nothing_else(page: Page, made: Path) -> None:
    figures = sorted((made / "report" / "figures").glob("*.svg"))
    assert figures
    for figure in figures:
        page.open(figure, WIDTHS[-1])
        assert page.complaints() == []
        assert page.requests() == [figure.as_uri()]
        kinds = page.evaluate("[...document.querySelectorAll('*')].map(e => e.namespaceURI + ' ' + e.localName)")
        drawn = {kind for kind in kinds if "/svg " in kind}
        assert drawn
        assert not drawn & {f"http://www.w3.org/2000/svg {name}" for name in ("script", "foreignObject", "image", "a")}
        # matplotlib says of itself what it is, in RDF
        assert all("rdf" in kind or "/cc" in kind or "/dc" in kind for kind in set(kinds) - drawn)
        assert not [name for name in page.evaluate(ATTRIBUTES) if name.startswith("on")]
