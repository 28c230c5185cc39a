"""The documents say what the code says: columns, commands, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import columns
from sweep.compose import compose

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_columns_is_up_to_date() -> None:
    assert columns.PATH.read_text(encoding="utf-8") == columns.text(), "run python docs/columns.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_names_of_files_in_the_documents_exist() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "architecture.md"):
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"`((?:sweep|workers|conf|tests|docs|benchmarks)/[\w/.]*)`", text)
        assert named
        assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_commands_of_the_documents_are_understood() -> None:
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/clusters.md"))
    lines = re.findall(r"^    .*python -m sweep( .*?)?(?:#.*)?$", text, re.M)
    assert len(lines) >= 9
    for line in lines:
        argv = line.split()
        if "--config-dir" not in argv and "--help" not in argv:
            assert compose(argv) is not None
