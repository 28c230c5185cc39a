"""The documents say what the code says: columns, commands, links."""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from docs import columns
from sweep import status
from sweep.capacity import cli as capacity
from sweep.command import exit_code
from sweep.compose import compose
from sweep.report import __main__ as report
from sweep.sru import cli as sru
from sweep.workload import __main__ as workload
from workers.reference import __main__ as reference

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
    commands = [(module, argv) for page in PAGES for module, argv in commands_of(page.read_text(encoding="utf-8"))]
    assert {module for module, _ in commands} == {"sweep", *PARSERS}
    assert sum(module == "sweep" for module, _ in commands) >= 20
    for module, argv in commands:
        if module != "sweep":
            assert is_parsed(PARSERS[module], argv), (module, argv)
        elif "--config-dir" not in argv and "--help" not in argv:
            assert compose(argv) is not None


PARSERS = {
    "sweep.capacity": capacity.main,
    "sweep.report": report.main,
    "sweep.sru": sru.main,
    "sweep.status": status.main,
    "sweep.workload": workload.main,
    "workers.reference": reference.main,
}
"""The commands that argparse reads."""


def commands_of(text: str) -> list[tuple[str, list[str]]]:
    """Module and arguments of each command in a block or a span of code, up to what a shell makes of the line."""
    code = [*re.findall(r"^ {4}.*", text, re.M), *(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))]
    found = [re.findall(r"python -m ((?:sweep|workers)[.\w]*)([^#&;|>]*)", some) for some in code]
    return [(module, shlex.split(argv)) for some in found for module, argv in some if argv.strip()]


def is_parsed(main: Callable[[list[str]], int], argv: list[str]) -> bool:
    """Whether a command understands its arguments; it does nothing with them."""
    parse, parsed = argparse.ArgumentParser.parse_args, []

    def parse_alone(parser: argparse.ArgumentParser, given: list[str]) -> None:
        parsed.append(parse(parser, given))
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_alone)
        main(argv)
    return bool(parsed)


def test_what_no_command_understands_is_told() -> None:
    text = "    python -m sweep.status --what DIR    # no such option\nOr `python -m\n  sweep.report DIR > FILE`."
    (first, second) = commands_of(text)
    assert (first, second) == (("sweep.status", ["--what", "DIR"]), ("sweep.report", ["DIR"]))
    assert is_parsed(report.main, second[1])
    assert exit_code("sweep.status", status.main, first[1]) == 2
