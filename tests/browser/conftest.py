"""One browser for all tests. Without it, or without axe-core, they are skipped; with FARM_TEST_BROWSER=1 they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import EXECUTABLE, Chromium, Page

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
MISSING = "Chromium or axe-core is not installed; .ci/run says how"


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that checks a page for what people with disabilities could not use."""
    if shutil.which(EXECUTABLE) is None or not AXE.exists():
        (pytest.fail if os.environ.get("FARM_TEST_BROWSER") else pytest.skip)(MISSING)
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(axe: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of the browser."""
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    try:
        yield Page(browser)
    finally:
        browser.close()
