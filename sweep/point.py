"""``python -m sweep point=ID``: one scenario again, alone, with its time series.

Found by its id or its scenario_key (32 hex digits): in the results folder that ``output`` names, else in the grid or
the points file. A scenario gives the same bits in any batch, so what is printed is what the sweep found.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from sweep import output
from sweep.config import Library, SweepConfig
from sweep.document.text import one_line
from sweep.execution.task import Simulate
from sweep.plan import windows
from sweep.report.inputs import DAMAGED, complete, unreadable
from sweep.results import NAME as RESULTS
from sweep.results import plan_of_table
from sweep.run import plan_of
from sweep.storage import Storage, open_storage
from sweep.store.chunk import FAILED
from sweep.store.keys import scenario_keys, to_hex
from workers.schema import RESULT_COLUMNS, SCENARIO_COLUMNS, Columns, ScenarioError
from workers.series import TimeSeries, time_series
from workers.task import simulate

KEY = re.compile(r"[0-9a-f]{32}")


def run_point(
    config: SweepConfig,
    library: Library,
    simulate: Simulate = simulate,
    time_series: TimeSeries = time_series,
    overrides: Sequence[str] = (),
) -> int:
    """Prints a scenario's results and writes its time series into the output folder; returns 0.

    The model is replaced by ``simulate`` and ``time_series`` where given; ``overrides``: what the command line gave.
    Raises ScenarioError: no such scenario, a folder that cannot be written, or scenarios that are not the folder's.
    """
    wanted = str(config.point)
    folder = open_storage(output.folder_of(config.output, "point"))
    earlier = _results(folder) if config.output is not None else None
    named = [o for o in overrides if re.match(r"[+~]*(grid|host|workload|points)\b", o)]
    if earlier is not None:
        _refuse_others(folder, named, config, library)
        try:
            scenario, row = _in_results(earlier, wanted, library, folder.url)
        except DAMAGED as error:
            raise unreadable("output", folder.url, error) from None
    else:
        if config.output is not None and not any(re.match(r"[+~]*(grid|points)\b", o) for o in named):
            raise ScenarioError(
                f"output: {folder.url} holds no {RESULTS} of a sweep; allowed is a folder that does, or to name the"
                " scenarios (+grid=NAME or points=FILE)"
            )
        scenario, row = _in_plan(config, library, wanted), None
    key = to_hex(scenario_keys(scenario))[0]
    found = simulate(scenario)
    print("\n".join(_lines({"scenario_key": key} | _plain(scenario, SCENARIO_COLUMNS) | _plain(found, RESULT_COLUMNS))))
    if row is not None:
        print(f"\n{_compared(row, _plain(found, RESULT_COLUMNS))}")
    series = pl.DataFrame(time_series(scenario))
    for name in _write(folder, f"point-{key}", series):
        print(f"time series, {series.height} samples: {name}")
    return 0


def _refuse_others(folder: Storage, named: Sequence[str], config: SweepConfig, library: Library) -> None:
    """Raises ScenarioError where the command line names other scenarios than the folder holds."""
    if named and (why := output.foreign(folder, plan_of(config, library).digest())):
        given = " ".join(named)
        raise ScenarioError(
            f"point: {given} was given, but {folder.url} holds other scenarios ({why}); leave it out, or the output"
        )


def _results(folder: Storage) -> pl.LazyFrame | None:
    """The table of a results folder, without what an older version did not write; None where there is none.

    Raises ScenarioError where it cannot be read, or lacks what every version wrote.
    """
    path, options = folder.polars(RESULTS)
    try:
        table = pl.scan_parquet(path, glob=False, storage_options=options)
        complete(table)
        return table
    except FileNotFoundError:
        return None
    except (OSError, ValueError, *DAMAGED) as error:
        raise unreadable("output", folder.url, error) from None


def _in_results(table: pl.LazyFrame, wanted: str, library: Library, url: str) -> tuple[Columns, dict[str, Any]]:
    """The scenario of a results table and its row there."""
    rows = table.filter(id=wanted).collect()
    if not rows.height and KEY.fullmatch(wanted):
        rows = _by_key(table, wanted, library)
    if not rows.height:
        raise ScenarioError(f"point: {wanted!r} was given; {url} holds no scenario of that id or scenario_key")
    plan = plan_of_table(rows, library.depot)
    return {"id": plan.ids(_FIRST), **plan.rows(_FIRST)}, rows.row(0, named=True)


_FIRST = np.zeros(1, np.int64)


def _by_key(table: pl.LazyFrame, wanted: str, library: Library) -> pl.DataFrame:
    rows = table.select(pl.len()).collect().item()
    for numbers in windows(rows):
        some = table.slice(int(numbers[0]), len(numbers)).collect()
        plan = plan_of_table(some, library.depot)
        for at in _matching(scenario_keys(plan.rows(np.arange(len(plan)))), wanted):
            return some[at : at + 1]
    return table.head(0).collect()


def _in_plan(config: SweepConfig, library: Library, wanted: str) -> Columns:
    """The scenario of the grid or the points file that the configuration names."""
    plan = plan_of(config, library)
    for numbers in windows(len(plan)):
        places = np.flatnonzero(plan.ids(numbers) == wanted)
        if not len(places) and KEY.fullmatch(wanted):
            places = _matching(scenario_keys(plan.rows(numbers)), wanted)
        for at in places[:1]:
            one = numbers[at : at + 1]
            return {"id": plan.ids(one), **plan.rows(one)}
    where = f"grid {config.grid.name}" if config.points is None else config.points
    raise ScenarioError(f"point: {wanted!r} was given; {where} holds no scenario of that id or scenario_key")


def _matching(keys: np.ndarray, wanted: str) -> np.ndarray:
    return np.flatnonzero(np.array(to_hex(keys)) == wanted)


def _plain(columns: Columns, named: Iterable[Any]) -> dict[str, Any]:
    return {c.name: columns[c.name][:1].tolist()[0] for c in named}


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    width = max(map(len, values))
    for name, value in values.items():
        yield f"{name:{width}}  {one_line(str(value))}"


def _compared(row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """How the run compares with the row of the table."""
    failed = row.get("status") == FAILED
    if failed or row.get("cell", "run") != "run":
        said = "failed there" if failed else f"{row['cell']} there: {row['verdict']}"
        return f"the table has no run of it ({said})"
    differing = [name for name, value in found.items() if name in row and not _same(row[name], value)]
    said = f"not as in the table: {', '.join(differing)}" if differing else "equal to its row in the table"
    lacking = [name for name in found if name not in row]
    return f"{said}; the table has no {', '.join(lacking)}" if lacking else said


def _same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def _write(folder: Storage, name: str, series: pl.DataFrame) -> list[str]:
    """The series as Parquet and CSV; their paths."""
    parquet = io.BytesIO()
    series.write_parquet(parquet)
    files = {f"{name}.parquet": parquet.getvalue(), f"{name}.csv": series.write_csv().encode()}
    try:
        for file, data in files.items():
            folder.write(file, data)
    except OSError as error:
        raise ScenarioError(f"output: {folder.url} cannot be written ({error.strerror or error})") from None
    return [f"{folder.url}/{file}" for file in files]
