"""The command line of ``python -m sweep.capacity``: a fleet file in, a table on the terminal and files in a folder."""

from __future__ import annotations

import argparse
import importlib.resources
import shlex
import sys
import textwrap
from pathlib import Path

from sweep.capacity.costs import TABLES
from sweep.capacity.dry_run import estimate
from sweep.capacity.fleet import FLEET_COLUMNS, read_fleet
from sweep.capacity.remedies import REMEDIES
from sweep.capacity.report import TITLE, document, lead, overview
from sweep.capacity.study import Study, complete
from sweep.capacity.table import table
from sweep.command import COMPLETE, ENDS, Parser, library, places, run_options, told_failures
from sweep.config import ClusterConfig
from sweep.document.html import to_html
from sweep.document.markdown import to_markdown
from sweep.document.terminal import to_terminal
from sweep.dry_run import cpus_of
from sweep.execution.task import Simulate
from sweep.lab import lab, points_csv
from sweep.report.page import figures
from workers.schema import COST_COLUMNS, ScenarioError, check_value, column
from workers.task import simulate

HORIZON_S = 2.0
WHAT = "Which machines of a fleet lock up in fq_flush_timeout, how far the others are from it, and what helps."
LOADS = ("unmap_burst", "burst_period_us", "in_flight")
FILES = ("capacity.csv", "capacity.md", "capacity.html", "runs.csv", "figures/headroom.svg")


def main(argv: list[str], simulate: Simulate = simulate) -> int:
    """Runs the command; 0, or 1 where a run of the model failed. Raises ScenarioError for bad input."""
    options = _parser().parse_args(argv)
    if options.example and options.fleet is not None:
        raise ScenarioError(f"--example: given beside {options.fleet}; it prints another fleet; leave one of them out")
    if options.example:
        print((importlib.resources.files("conf") / "fleet" / "example.csv").read_text(encoding="utf-8"), end="")
        return COMPLETE
    if options.fleet is None:
        raise ScenarioError("no fleet was given; allowed is the path of a CSV file, as --example prints one")
    horizon_s = check_value(column("horizon_s"), options.horizon_s)
    named = library(options.config_dir)
    hosts = read_fleet(options.fleet, named, horizon_s)
    study = Study(hosts, REMEDIES, {name: named.host[name] for name in TABLES})
    fleet = Path(options.fleet).name
    folder, store = places(options, "capacity", FILES, options.fleet, TITLE, fleet)
    told = None if options.quiet else sys.stderr
    with lab(named, store, options.inline, told, simulate, delete=not options.dry_run) as made:
        if options.dry_run:
            print("\n".join(estimate(study, made, simulate, cpus_of(ClusterConfig(), options.inline))))
            return COMPLETE
        findings = complete(study, made.run)
        made.progress.close()
    repeat = shlex.join(["python", "-m", "sweep.capacity", *argv])
    print("" if options.quiet else f"{to_terminal((*lead(findings), overview(findings, REMEDIES)))}\n\n", end="")
    whole = document(fleet, findings, REMEDIES, horizon_s, f"{repeat}\n{_one_again()}")
    folder.write(
        {
            "capacity.csv": table(findings, REMEDIES).write_csv().encode(),
            "capacity.md": to_markdown(whole).encode(),
            "capacity.html": to_html(whole).encode(),
            "runs.csv": points_csv(study.asked),
            **{f"figures/{figure.name}.svg": figure.svg.encode() for figure in figures(whole)},
        }
    )
    print(f"report: {folder.url}/capacity.html")
    return told_failures(study.rows)


def _one_again() -> str:
    return "python -m sweep points=runs.csv point=ID        # any run again: ids are in runs.csv, beside this report"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m sweep.capacity",
        description=WHAT,
        epilog=_columns(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("fleet", nargs="?", metavar="FLEET.csv", help="one row a host class; columns below")
    parser.add_argument("--example", action="store_true", help="print an example of a fleet and end")
    run_options(parser, "capacity", HORIZON_S)
    parser.add_argument("--dry-run", action="store_true", help="say what it would take, from a calibration, and end")
    return parser


def _columns() -> str:
    """The columns of a fleet file, for --help."""
    lines = ["columns of FLEET.csv (empty cells take the default; scenario columns are those of docs/columns.md):"]
    for known in FLEET_COLUMNS:
        needed = "required, here or in the workload" if known.name in LOADS else "required"
        default = needed if known.required else "" if known.default in (None, "") else f"default {known.default}"
        default = "default the host's" if known in COST_COLUMNS else default
        said = f"{known.meaning}{'; ' if default else ''}{default}"
        lines += textwrap.wrap(f"{known.name}: {said}", 98, initial_indent="  ", subsequent_indent="      ")
    lines += [
        "",
        f"exit codes: 0 complete, 1 complete with failed runs, {ENDS}",
    ]
    return "\n".join(lines)
