"""An estimate as files: a workload for grids, and rows for ``points=``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from sweep.storage.local import LocalStorage
from sweep.workload.estimate import Estimate
from workers.schema import ScenarioError
from workers.tables import complete_row

WORKLOAD = ("iova_pages", "unmap_burst", "burst_period_us", "in_flight", "free_cpu_shift")
"""Columns of the workload file. The machine's are left to grids: ``active_cpus`` would forbid smaller ones."""

POINT = ("cpus", "active_cpus", *WORKLOAD, "domains")
POLICIES = ("array", "list")
"""A row each: before the patches and after them."""


Values = dict[str, str | int | float]


def files_of(name: str) -> tuple[str, str]:
    """The workload's file and that of the points, in the folder."""
    return f"workload/{name}.yaml", f"{name}.csv"


def write(
    found: Estimate, folder: str, name: str, source: str, extent: str, costs: Mapping[str, float]
) -> tuple[Path, Path]:
    """Writes FOLDER/workload/NAME.yaml and FOLDER/NAME.csv, both or neither; their paths.

    ``source``: the trace's name; ``extent``: how much it holds and how long it is, by which it is known again, as many
    machines call theirs trace.txt; ``costs``: of the points, which have no host, so that they say the same as a grid of
    the workload. Raises ScenarioError for a scenario that cannot be, for files that are not of this trace, and for a
    folder that cannot be written.
    """
    load = _values(found, POINT)
    rows: list[Values] = [{"id": f"{name}-{policy}", "policy": policy, **load, **costs} for policy in POLICIES]
    for row in rows:
        complete_row(row)
    storage = LocalStorage.at(folder)
    files = files_of(name)
    try:
        held = [_held(storage, file) for file in files]
        there = [file for file, data in zip(files, held, strict=True) if data is not None]
        if there and _origin(source, extent) not in (held[0] or b"").decode("utf-8", "replace").split("\n"):
            raise ScenarioError(
                f"--name: {name!r} was given; {storage.url} holds a {there[0]} that is not of this trace;"
                " give another --name or --output"
            )
        try:
            for file, text in zip(files, (yaml_text(found, source, extent), csv_text(rows)), strict=True):
                storage.write(file, text.encode("utf-8", "replace"))
        except BaseException:
            for file in set(files).difference(there):
                storage.delete(file)
            raise
    except OSError as error:
        raise ScenarioError(f"--output: {storage.url} cannot be written ({error.strerror or error})") from None
    first, second = (Path(folder, file) for file in files)
    return first, second


def _held(storage: LocalStorage, file: str) -> bytes | None:
    try:
        return storage.read(file)
    except FileNotFoundError:
        return None


def _origin(source: str, extent: str) -> str:
    """The line of a workload file that says which trace it is of."""
    return f"# Trace: {_one_line(source)}, {extent}."


def yaml_text(found: Estimate, source: str, extent: str) -> str:
    """The workload file: columns and their sources, each text a JSON string, which YAML reads as it is."""
    machine = ", ".join(f"{key} {found.figures[key].value}" for key in ("cpus", "active_cpus"))
    lines = [f"# Measured by python -m sweep.workload; the machine: {machine}.", _origin(source, extent)]
    lines += [f"# {_one_line(warning)}" for warning in found.warnings]
    lines += [f"{key}: {_quoted(value)}" for key, value in _values(found, WORKLOAD).items()]
    lines.append("sources:")
    for key in WORKLOAD:
        figure = found.figures[key]
        said = f"measured, confidence {figure.confidence}: {figure.why} ({source})"
        lines.append(f"  {key}: {_quoted(_one_line(said))}")
    return "\n".join(lines) + "\n"


def csv_text(rows: list[Values]) -> str:
    """The points file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _values(found: Estimate, names: tuple[str, ...]) -> Values:
    return {name: found.figures[name].value for name in names}


def _quoted(value: str | int | float) -> str:
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    """What a file's name or a line of a trace says, with nothing that ends a line or that Hydra would fill in."""
    return "".join(letter if letter.isprintable() else "�" for letter in text).replace("${", "$ {")
