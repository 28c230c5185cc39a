"""The command line of ``python -m sweep.sru``: a host or a fleet in, Markdown for the bug out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from sweep.capacity.fleet import FLEET_COLUMNS, HostClass, host_class, read_fleet
from sweep.command import COMPLETE, ENDS, Parser, library, places, run_options, told_failures
from sweep.config import Library
from sweep.document.markdown import to_markdown
from sweep.execution.task import Simulate
from sweep.lab import lab, points_csv
from sweep.sru.claims import depot
from sweep.sru.jobs import job
from sweep.sru.report import TITLE, document
from sweep.sru.runs import BEFORE, measure, scenarios
from workers.schema import ScenarioError, check_value, column
from workers.task import simulate

HORIZON_S = 3.0
FILES = ("sru.md", "runs.csv")
USUAL = {"cpus": "256", "workload": "full_4g"}
"""The load of a host that no option says anything of."""

NOT_OFFERED = ("name", "count", "kernel", "host", "load_hours_per_year")
OPTIONS = tuple(c for c in FLEET_COLUMNS if c.name not in NOT_OFFERED)


def main(argv: list[str], simulate: Simulate = simulate) -> int:
    """Runs the command; 0, or 1 where a run of the model failed, and then nothing is written: neither file would say
    what the other does. Raises ScenarioError for bad input."""
    options = _parser().parse_args(argv)
    named = library(options.config_dir)
    hosts = _hosts(options, named)
    for host in hosts:
        job(host)  # refuses what it cannot say, before anything runs
    name = Path(options.host).name + (f", row {options.row}" if options.row is not None else "")
    folder, store = places(options, "sru", FILES, options.host, TITLE, name)
    with lab(named, store, options.inline, None if options.quiet else sys.stderr, simulate) as made:
        measured = measure(hosts, made.run)
        made.progress.close()
    wanted = [scenario for host in hosts for scenario in scenarios(host).values()]
    if failed := told_failures(row for one in measured for row in one.rows.values()):
        return failed
    sizes = [depot(named.depot, host.scenario["cpus"]) for host in hosts]
    text = to_markdown(document(name, measured, sizes, shlex.join(["python", "-m", "sweep.sru", *argv])))
    folder.write({"sru.md": text.encode(), "runs.csv": points_csv(wanted)})
    print(text, end="")
    print(f"sru.md and runs.csv: {folder.url}", file=sys.stderr)
    return COMPLETE


def _hosts(options: argparse.Namespace, named: Library) -> tuple[HostClass, ...]:
    """The host classes to write about; raises ScenarioError."""
    horizon_s = check_value(column("horizon_s"), options.horizon_s)
    given = {c.name: vars(options)[c.name] for c in OPTIONS if vars(options)[c.name] is not None}
    if options.host in named.host:
        if options.row is not None:
            raise ScenarioError(f"--row: {options.row!r} was given beside a host; allowed is it beside a fleet file")
        usual = USUAL if "workload" not in given else {"cpus": USUAL["cpus"]}
        cells = {**usual, **given, "name": options.host, "host": options.host, "kernel": BEFORE}
        return (host_class(cells, named, horizon_s),)
    if not Path(options.host).is_file():
        raise ScenarioError(
            f"{options.host!r} was given; allowed are a fleet file and the hosts {', '.join(sorted(named.host))}"
        )
    if given:
        option = f"--{next(iter(given)).replace('_', '-')}"
        raise ScenarioError(f"{option}: given beside a fleet file, whose rows say all by themselves")
    fleet = read_fleet(options.host, named, horizon_s)
    chosen = tuple(host for host in fleet if options.row in (None, host.name))
    if not chosen:
        names = ", ".join(host.name for host in fleet)
        raise ScenarioError(f"--row: {options.row!r} was given; {options.host} has {names}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m sweep.sru",
        description="Markdown for the bug of the backport to 5.15: test plan, where problems could occur, its claims.",
        epilog=f"exit codes: 0 complete, 1 a run of the model failed (nothing written), {ENDS}",
        allow_abbrev=False,
    )
    parser.add_argument("host", metavar="HOST|FLEET", help="a name in conf/host, or a fleet file of sweep.capacity")
    parser.add_argument("--row", metavar="NAME", help="of a fleet file, this host class alone")
    run_options(parser, "sru", HORIZON_S)
    load = parser.add_argument_group(
        "the load on HOST", f"without any: {', '.join(f'{key} {value}' for key, value in USUAL.items())}"
    )
    for known in OPTIONS:
        load.add_argument(f"--{known.name.replace('_', '-')}", metavar="X", help=known.meaning.replace("%", "%%"))
    return parser
