"""How every command ends: the exit code that says how, and what stderr says of it."""

from __future__ import annotations

import contextlib
import importlib

import pytest

from sweep.command import exit_code
from workers.schema import ScenarioError


def ending(error: BaseException) -> int:
    def run(argv: list[str]) -> int:
        raise error

    return exit_code("sweep.some", run, [])


def test_a_defect_is_no_sweep_that_finished_with_failed_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(KeyError("a\nb \x1b[31m")) == 70
    said = capsys.readouterr().err.splitlines()
    assert said[0] == r"sweep.some: ended by a defect of the program, please report it: KeyError: 'a\nb \x1b[31m'"
    assert said[1] == "Traceback (most recent call last):"
    assert said[-1] == r"KeyError: 'a\nb \x1b[31m'"


def test_the_other_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sweep.some", len, ["a"]) == 1
    assert (ending(ScenarioError("no\ngood")), ending(KeyboardInterrupt())) == (2, 130)
    assert capsys.readouterr().err == "sweep.some: no good\n\nsweep.some: interrupted; give the same command again\n"


@pytest.mark.parametrize("name", ["cli", "status", "report.__main__", "capacity.cli", "sru.cli", "workload.__main__"])
def test_every_help_says_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):  # argparse's way
        importlib.import_module(f"sweep.{name}").main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "70 a defect" in said
    assert "130 interrupted" in said
