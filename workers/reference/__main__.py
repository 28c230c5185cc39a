"""``python -m workers.reference replay|run``: the twin's command line; beside ``policies`` its only code with files."""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from workers.reference.kernels import KERNELS
from workers.reference.replay import TraceError, replay
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, Columns, ScenarioError

RESULTS = "results.parquet"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise ScenarioError(message)


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr for bad input."""
    parser = _Parser(
        prog="python -m workers.reference",
        description="The scalar twin: the allocator in plain Python, one operation at a time.",
        epilog="exit codes: 0 done, 2 bad input (one sentence)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    trace = commands.add_parser("replay", help="answer a trace's operations on stdout, a JSON line each")
    trace.add_argument("--kernel", choices=sorted(KERNELS), required=True, help="whose allocator answers")
    trace.add_argument("file", type=Path, help="FILE.ops or FILE.ops.xz")
    run = commands.add_parser("run", help="run scenarios in virtual time: points=FILE.csv output=DIR")
    run.add_argument("options", nargs="*", metavar="points=FILE | output=DIR", help="both are needed")
    try:
        options = parser.parse_args(arguments)
        if options.command == "replay":
            for answer in replay(_lines(options.file), KERNELS[options.kernel]):
                sys.stdout.write(answer + "\n")
        else:
            given = dict(_pair(text) for text in options.options)
            points, output = _wanted(given, "points"), _wanted(given, "output")
            if given:
                raise ScenarioError(f"{next(iter(given))}: unknown option; allowed are points= and output=")
            _run(points, Path(output).expanduser())
    except (ScenarioError, TraceError) as error:
        print(f"workers.reference: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


def _run(points: str, output: Path) -> None:
    """Runs every scenario of the file ``points``; writes ``output``/results.parquet, whole or not at all, and says so.

    One row a scenario: scenario columns, then result columns. Raises ScenarioError for bad input.
    """
    import polars as pl

    from workers.points import read_points
    from workers.reference.policies import depot_columns
    from workers.reference.run import simulate_columns

    scenarios = read_points(points)
    with_depot = scenarios | depot_columns(scenarios)
    written, beside = output / RESULTS, output / f"{RESULTS}.part"
    _refuse_foreign(output, scenarios)
    try:
        output.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(b"")
    except OSError as error:
        raise ScenarioError(f"output: {output} cannot be written ({error.strerror})") from None
    try:
        pl.DataFrame(scenarios | simulate_columns(with_depot)).write_parquet(beside)
        beside.replace(written)
    finally:
        beside.unlink(missing_ok=True)
    print(f"{len(scenarios['id'])} rows: {written}")


def _refuse_foreign(output: Path, scenarios: Columns) -> None:
    """Raises ScenarioError where ``output`` holds anything but an earlier result of these scenarios."""
    import polars as pl

    try:
        names = {path.name for path in output.iterdir()} - {f"{RESULTS}.part"}
        found = pl.read_parquet(output / RESULTS, glob=False) if names == {RESULTS} else None
    except FileNotFoundError:
        return
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or f"its {RESULTS} cannot be read"
        raise ScenarioError(f"output: {output} cannot be used ({reason})") from None
    ours = [c.name for c in (*SCENARIO_COLUMNS, *RESULT_COLUMNS)]
    asked = pl.DataFrame(scenarios)
    own = found is not None and found.columns == ours and found.select(asked.columns).equals(asked)
    if names and not own:
        raise ScenarioError(
            f"output: {output} holds something else than results of these points; give an empty or a new folder"
        )


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
