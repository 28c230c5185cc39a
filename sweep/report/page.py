"""The report, put together and written: report.html, report.md and figures/*.svg."""

from __future__ import annotations

from pathlib import Path

from sweep import manifest
from sweep.document import Document, Figure
from sweep.document.html import to_html
from sweep.document.markdown import to_markdown
from sweep.report.inputs import Results
from sweep.report.sections import lead, sections
from sweep.report.trust import trust
from sweep.storage import Storage

PAGE, TEXT, FIGURES = "report.html", "report.md", "figures"


def document(results: Results) -> Document:
    """What the report says; the answer first, how far to trust it last. The same results say the same.

    Raises ScenarioError where the manifest is none of a sweep.
    """
    manifest.check(results.manifest, results.url)
    return Document(f"IOVA stress farm: {_name(results)}", lead(results), (*sections(results), trust(results)))


def write_report(said: Document, storage: Storage) -> None:
    """Writes each file whole, the page last: what it is made of is there. Raises OSError."""
    for figure in figures(said):
        storage.write(f"{FIGURES}/{figure.name}.svg", figure.svg.encode())
    storage.write(TEXT, to_markdown(said, FIGURES).encode())
    storage.write(PAGE, to_html(said).encode())


def figures(said: Document) -> tuple[Figure, ...]:
    """All figures of a document, in order."""
    blocks = [*said.lead, *(block for section in said.sections for block in section.blocks)]
    return tuple(block for block in blocks if isinstance(block, Figure))


def _name(results: Results) -> str:
    """The grid's name, or the points file's."""
    config = results.manifest["config"]
    return config["grid"]["name"] if "grid" in config else Path(str(config["points"])).name
