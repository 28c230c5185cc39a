"""``python -m workers.reference replay|run``: the twin's command line, and its only code that touches files."""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

from workers.reference.kernels import KERNELS
from workers.reference.replay import TraceError, replay
from workers.schema import ScenarioError


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr for bad input."""
    parser = argparse.ArgumentParser(prog="python -m workers.reference", description="The scalar twin.")
    commands = parser.add_subparsers(dest="command", required=True)
    trace = commands.add_parser("replay", help="answer a trace's operations on stdout, a JSON line each")
    trace.add_argument("--kernel", choices=sorted(KERNELS), required=True)
    trace.add_argument("file", type=Path, help="FILE.ops or FILE.ops.xz")
    run = commands.add_parser("run", help="run scenarios in virtual time: points=FILE.csv output=DIR")
    run.add_argument("options", nargs="*", metavar="points=FILE | output=DIR")
    options = parser.parse_args(arguments)
    try:
        if options.command == "replay":
            for answer in replay(_lines(options.file), KERNELS[options.kernel]):
                sys.stdout.write(answer + "\n")
        else:
            from workers.reference.run import run_points

            given = dict(_pair(text) for text in options.options)
            points, output = _wanted(given, "points"), _wanted(given, "output")
            if given:
                raise ScenarioError(f"{next(iter(given))}: unknown option; allowed are points= and output=")
            run_points(points, Path(output))
    except (ScenarioError, TraceError) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise TraceError(f"file: {path} was given; there is no such file")
    try:
        with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as stream:
            yield from stream
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError):
        raise TraceError(f"file: {path} cannot be read as text, or as xz where its name ends so") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise ScenarioError(f"{text}: not of the form points=FILE or output=DIR")
    return name, value


def _wanted(given: dict[str, str], name: str) -> str:
    if name not in given:
        raise ScenarioError(f"{name}: missing; the command is run points=FILE.csv output=DIR")
    return given.pop(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
