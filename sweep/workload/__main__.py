"""``python -m sweep.workload``."""

from __future__ import annotations

import argparse
import re
import shlex
import textwrap
from pathlib import Path

from sweep.command import COMPLETE, ENDS, Parser, library, refuse_to_replace, start
from sweep.storage.local import LocalStorage
from sweep.storage.names import is_remote
from sweep.workload.estimate import Estimate, estimate
from sweep.workload.measure import measure
from sweep.workload.write import files_of, write
from workers.schema import ScenarioError, check_value, column

DESCRIPTION = """\
What load a machine is under, from what it recorded: reads the text of iommu:map and iommu:unmap events and writes
a workload (OUTPUT/workload/NAME.yaml) and a points file (OUTPUT/NAME.csv).

On the machine, either of:

  perf record -a -e iommu:map -e iommu:unmap -m 16M -o iommu.data -- sleep 10
  perf script -i iommu.data --ns --show-lost-events | xz > trace.txt.xz

  trace-cmd record -e iommu:map -e iommu:unmap -b 20480 -o iommu.dat sleep 10
  trace-cmd report -t -i iommu.dat | xz > trace.txt.xz
"""
OPEN = "grid.iova_pages=null grid.unmap_burst=null grid.in_flight=null"
"""Leaves to the workload what the default grid would set itself; its CPUs, rates and policies remain."""

EPILOG = f"""\
Then, the machine as it is, and the same load at other rates on other machines:
  python -m sweep points=OUTPUT/NAME.csv
  python -m sweep --config-dir OUTPUT workload=NAME {OPEN}

or with a grid of your own, OUTPUT/grid/MINE.yaml, that sets none of a workload's columns:
  python -m sweep --config-dir OUTPUT +grid=MINE workload=NAME

Exit codes: 0 written (warnings are printed), {ENDS}.
Bad input writes nothing.
"""

HOST = "typical"
"""Whose costs the points have: a trace says nothing of them, and a grid takes this host's where none is named."""


def main(argv: list[str]) -> int:
    """Reads a trace and writes the workload; 0. Raises ScenarioError for bad input."""
    given = _parser().parse_args(argv)
    name, named = _name(given.name, given.trace), library(None)
    if name in named.workload:  # --config-dir would refuse the folder
        raise ScenarioError(f"--name: {name!r} is a workload of conf/; give another --name")
    if not given.output or is_remote(given.output):
        raise ScenarioError(f"--output: {given.output!r} was given; allowed is the path of a folder")
    refuse_to_replace(given.trace, LocalStorage.at(given.output), files_of(name))
    if given.cpus is not None:
        check_value(column("cpus"), given.cpus)
    found = estimate(measured := measure(given.trace), given.trace, given.cpus)
    source = "standard input" if given.trace == "-" else Path(given.trace).name
    seen = measured.seen
    extent = f"{seen.events} events in {measured.span_ns / 1e9:.9f} s"
    files = write(found, given.output, name, source, extent, named.host[HOST])
    print(f"{seen.lines} lines: {seen.events} events, {seen.others} of other tracepoints, {seen.damaged} damaged,")
    print(f"{seen.lost} events lost; {measured.span_ns / 1e9:.4g} s\n")
    print(text(found))
    print(f"\nworkload: {files[0]}\npoints:   {files[1]}")
    print(f"\nrun it:   python -m sweep {shlex.quote(f'points={files[1]}')}")
    print(f"vary it:  python -m sweep --config-dir {shlex.quote(given.output)} workload={name} {OPEN}")
    return COMPLETE


def text(found: Estimate) -> str:
    """The figures as a table, and the warnings."""
    rows = [(figure.name, str(figure.value), figure.confidence, figure.why) for figure in found.figures.values()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row[:3], widths, strict=True)), row[3]]) for row in rows]
    for warning in found.warnings:
        said = "".join(letter if letter.isprintable() else "?" for letter in warning)
        lines += ["", *textwrap.wrap(f"warning: {said}", 100, subsequent_indent="  ")]
    return "\n".join(lines)


def _name(name: str | None, trace: str) -> str:
    """What the workload is called: as given, or by the file."""
    if name is None:
        stem = "" if trace == "-" else Path(trace).name.split(".")[0]
        return re.sub(r"^-|[^\w-]", "_", stem)[:100] or "trace"
    if not re.fullmatch(r"\w[\w-]{0,99}", name):
        raise ScenarioError(f"--name: {name!r} was given; allowed are letters, digits, _ and -")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "python -m sweep.workload",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("trace", metavar="TRACE", help="text of perf script or ftrace, also gzip or xz; - reads stdin")
    parser.add_argument("-n", "--name", help="of the workload, not one of conf/; default: by the file")
    parser.add_argument(
        "-o", "--output", default="results/workloads", help="folder for the files; default: %(default)s"
    )
    parser.add_argument("--cpus", type=int, help="possible CPUs of the machine, where the trace does not say")
    return parser


if __name__ == "__main__":
    start("sweep.workload", main)
