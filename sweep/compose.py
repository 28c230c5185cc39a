"""From the command line to a configuration, by Hydra; with sweep.hydra_errors all that knows Hydra and OmegaConf.

Hydra only composes: the sweep runs after it has returned, so it leaves no folder and no log
behind, and each of its own errors becomes one sentence (ScenarioError).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import hydra
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweep.base_sixty import refuse_base_60
from sweep.config import AXIS_NAMES, COST_NAMES, LOAD_NAMES, RATE, Library, SweepConfig
from sweep.hydra_errors import TABLES, flat, sentence, unknown
from sweep.plan.axes import COLUMNS, NAMED
from sweep.plan.rate import PERIOD
from sweep.plan.silenced import refuse_silenced
from workers.policy import POLICY_COLUMNS, POLICY_KEYS
from workers.schema import ScenarioError, check_value

ConfigStore.instance().store(name="schema", node=SweepConfig)

GROUPS = {"depot": POLICY_KEYS, "host": COST_NAMES, "workload": (*LOAD_NAMES, RATE)}
"""Groups whose files a grid names, and the keys of such a file (beside ``sources``)."""

_CHECKED = COLUMNS | POLICY_COLUMNS
"""What their values are checked by."""

CHOSEN = ("grid", "cluster")
"""Groups that only the command line names."""


NOT_OF_POINT = ("cluster", "executor", "mode", "quiet", "report", "store")
"""What ``point=ID`` has no use for."""


@dataclass(frozen=True)
class Composed:
    """A configuration, the named files it may use, and the overrides that the command line gave."""

    config: SweepConfig
    library: Library
    overrides: tuple[str, ...]


def compose(argv: list[str]) -> Composed | None:
    """The configuration a command line asks for; None where it only asked to be shown something (``--help``).

    Raises ScenarioError: an unknown key, group or flag, a value of the wrong type, an unreadable file.
    """
    composed: list[Composed] = []
    quoted = [_quoted(a) for a in argv]
    typed = {*quoted, *("+" + a for a in quoted)}  # not what _with_grid adds

    @hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
    def take(config: DictConfig) -> None:
        overrides = tuple(HydraConfig.get().overrides.task)
        _refuse_without_effect(overrides, config)
        plain = OmegaConf.to_object(config)
        assert isinstance(plain, SweepConfig)
        _refuse_appended(plain)
        plain.cluster.check(plain.cluster.address or "local")  # whether or not Ray will be needed
        library = _library()
        for group in ("host", "workload"):
            if (name := HydraConfig.get().runtime.choices.get(group)) in getattr(library, group):
                getattr(library, group)[name]  # its values are checked, with its name
        _refuse_half_loads(overrides, plain.grid, library)
        composed.append(Composed(plain, library, tuple(o for o in overrides if o in typed)))

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _arguments(_with_grid(quoted)):
            take()
    except SystemExit as stop:
        if stop.code:
            last = said.getvalue().strip().splitlines()[-1]
            raise ScenarioError(flat(last.removeprefix("sweep: error: "))) from None
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        if not isinstance(error, ScenarioError | BrokenPipeError):  # nobody reads the help
            for where, file, allowed in _asked_for(argv):
                _values(where, file, allowed)  # says what is wrong with it, and its name, which Hydra does not
            raise ScenarioError(sentence(error)) from None
        raise
    sys.stderr.write(said.getvalue())
    return composed[0] if composed else None


@contextlib.contextmanager
def _arguments(argv: list[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and hands its errors on, instead of printing them, under HYDRA_FULL_ERROR."""
    with mock.patch.object(sys, "argv", ["sweep", *argv]), mock.patch.dict(os.environ, {"HYDRA_FULL_ERROR": "1"}):
        yield


def _quoted(argument: str) -> str:
    """Paths are taken as they are: brackets, commas, blanks and ${ in them are not Hydra's, nor are letters like ü."""
    key, _, path = argument.partition("=")
    if key.lstrip("+") in (*GROUPS, *CHOSEN) and re.fullmatch(_NO_TEXT, path, re.IGNORECASE):
        return f"{key}='{path}'"  # a file may be called by a number
    foreign = not path.isascii() and re.fullmatch(r"[\w.-]+", path)
    if path in ("", "null") or path[0] in "'\"" or not (foreign or key in _PATHS):
        return argument
    # a backslash is one by itself but before these, and there two are one
    escaped = re.sub(r"(\\*)('|\$\{|\Z)", lambda found: 2 * found[1] + (found[2] and f"\\{found[2]}"), path)
    return f"{key}='{escaped}'"


_PATHS = ("points", "output", "store", "point", "baselines")
_NO_TEXT = r"[+-]?(\.?\d[\w.+-]*|nan|inf)|true|false"
"""What Hydra reads as a number or a truth value, and more that it would read as it is."""


def _with_grid(argv: list[str]) -> list[str]:
    """The small grid where the command line names neither a grid nor points; ``grid=NAME`` as ``+grid=NAME``."""
    for a in argv:
        if re.match(r"(-m|--m\w*)$|\+*hydra\.mode=", a):
            raise ScenarioError(f"{a}: a sweep expands its grid itself; give lists, as in grid.cpus=[8,16]")
        if several := re.match(r"\+*(grid|host|workload|cluster)=(\[.*|.*,.*)", a):  # Hydra would lay one on the other
            group = several[1]
            hint = f"; several are an axis, grid.{group}=[...]" if group in NAMED else ""
            raise ScenarioError(f"{group}: {several[2]!r} was given; allowed is one{hint}")
    argv = ["+" + a if re.match(r"grid=", a) else a for a in argv]
    argv = [re.sub(r"^~(grid\.\w+)(=.*)?$", r"\1=null", a) for a in argv]
    # Hydra merges {start, stop, ...} into what an axis holds and refuses to where that is a list: so empty it first.
    list_or_spec = re.compile(r"\+*(grid\.(?!points=|name=)\w+)=[{\[]")
    emptied = {a: f"{axis[1]}=null" for a in argv if (axis := list_or_spec.match(a))}
    argv = [b for a in argv for b in ([emptied[a], a.lstrip("+")] if a in emptied else [a])]
    if any(re.match(r"\+grid=|points=(?!null$).", a) for a in argv):
        return argv
    # Flags take what follows them, and Hydra wants all overrides in one place: so before the first one, else in front.
    first = next((place for place, a in enumerate(argv) if re.match(r"[+~]*\w[\w.@]*=", a)), 0)
    return [*argv[:first], "+grid=small", *argv[first:]]


def _refuse_without_effect(overrides: tuple[str, ...], config: DictConfig) -> None:
    """Raises ScenarioError for an override that the rest of the command line silences."""
    if config.points == "":
        raise ScenarioError("points: an empty text was given; allowed is the path of a CSV or Parquet file")
    if config.dry_run and config.point is not None:
        raise ScenarioError("dry_run: given beside point, which is one run and its files; leave one of them out")
    if config.baseline is not None and (config.dry_run or config.point is not None):
        other = "dry_run=true" if config.dry_run else "point"
        raise ScenarioError(f"baseline: given beside {other}; it compares a whole sweep")
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        group, _, column = key.partition(".")
        if config.points is not None and group in ("grid", "host", "workload"):
            raise ScenarioError(f"{key}: given beside points; the rows of {config.points} say all by themselves")
        if group in ("host", "workload"):
            for where in filter(None, map(_covered(config.grid).get, (group, column))):
                raise ScenarioError(f"{key}: given, but grid {config.grid.name} names its own{where}")
        if config.point is not None and group in NOT_OF_POINT:
            why = "which runs one scenario in this process, without sweep, store or report"
            raise ScenarioError(f"{key}: given beside point, {why}")
        if key == "baselines" and config.baseline is None:
            raise ScenarioError("baselines: given without baseline=check or baseline=update")


def _refuse_half_loads(overrides: tuple[str, ...], grid: Any, library: Library) -> None:
    """Raises ScenarioError where the command line lays workloads under a grid whose file sets some of their columns.

    What it sets itself beside them varies them.
    """
    typed = {match[1] for o in overrides if (match := re.match(r"\+*grid\.(\w+)", o))}
    said = grid.workload if "workload" in typed else []
    for name in filter(library.workload.__contains__, map(str, said if isinstance(said, list) else [said])):
        refuse_silenced(f"grid.workload={name}", library.workload[name], grid, typed)


def _covered(grid: DictConfig) -> dict[str, str]:
    """What a grid says of all its scenarios, and where; rate and period put each other out."""
    points = [{name for name, value in point.items() if value is not None} for point in grid.points]
    found = dict.fromkeys(set.intersection(*points) if points else (), " in each of its points")
    found |= {name: f"; use grid.{name}=[...]" for name in AXIS_NAMES if grid[name] is not None}
    both = found.get(RATE) or found.get(PERIOD)
    return found | (dict.fromkeys((RATE, PERIOD), both) if both else {})


def _refuse_appended(config: SweepConfig) -> None:
    """Raises ScenarioError for a key that ``+key=value`` added to the schema, where Hydra allows any."""
    for where, table in (("", config), *((f"{name}.", getattr(config, name)) for name in TABLES)):
        known = [field.name for field in dataclasses.fields(table)]
        for key in vars(table):
            if key not in known:
                raise ScenarioError(unknown(where + key, known))


class _Files(Mapping[str, dict[str, Any]]):
    """The files of a group by name, each read when it is asked for: a bad one that nobody names is in nobody's way."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.files: dict[str, tuple[str, Traversable]] = {}
        self._read: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Raises ScenarioError where the file cannot be read, or holds what it may not."""
        if name not in self._read:
            self._read[name] = _values(*self.files[name], self.allowed)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def _library() -> Library:
    """Every depot, host and workload on Hydra's search path.

    Raises ScenarioError for a file that has the name of one before it, which Hydra would take in its place unsaid.
    """
    found = {group: _Files(GROUPS.get(group, ())) for group in (*GROUPS, *CHOSEN)}
    for source in HydraConfig.get().runtime.config_sources:
        if source.schema not in ("pkg", "file") or source.provider == "hydra":
            continue
        root = importlib.resources.files(source.path) if source.schema == "pkg" else Path(source.path)
        for group, named in found.items():
            folder = root / group
            for file in sorted(folder.iterdir(), key=lambda f: f.name) if folder.is_dir() else ():
                name, ending = os.path.splitext(file.name)
                where = f"{group}/{file.name}"
                if ending != ".yaml":
                    continue
                if name in named:
                    raise ScenarioError(f"{where}: given in {source.path}, but conf/ has one; allowed is another name")
                named.files[name] = where, file
    if (grid := str(HydraConfig.get().runtime.choices.get("grid"))) in found["grid"]:
        where, file = found["grid"].files[grid]
        refuse_base_60(where, file.read_text(encoding="utf-8"))  # of the others it is refused where they are read
    return Library(**{group: found[group] for group in GROUPS})


def _asked_for(argv: list[str]) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """The files of the user's folder that the command line chooses: what each is called, itself, the keys allowed."""
    for flag, _, folder in (a.partition("=") for a in (*argv, *map("=".join, pairwise(argv)))):
        for chosen in argv if flag in ("--config-dir", "-cd") else ():
            group, _, name = chosen.lstrip("+").partition("=")
            file = Path(folder, group, f"{name}.yaml")
            if group in (*GROUPS, *CHOSEN) and file.is_file():
                yield f"{group}/{name}.yaml", file, GROUPS.get(group, ())


def _values(where: str, file: Traversable, allowed: tuple[str, ...]) -> dict[str, Any]:
    """The keys of a file on the search path, ``sources`` apart.

    Raises ScenarioError for one that is not ``allowed``, where anything is, and for a bad value.
    """
    try:
        text = file.read_text(encoding="utf-8")
        values = OmegaConf.to_container(OmegaConf.create(text))
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{where}: is no UTF-8 text ({error.reason} at byte {error.start})") from None
    except RecursionError:
        raise ScenarioError(f"{where}: holds a value that contains itself or is nested too deeply") from None
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:
        raise ScenarioError(f"{where}: cannot be read as YAML ({flat(str(error))})") from None
    if not isinstance(values, dict):
        raise ScenarioError(f"{where}: holds no keys; allowed are {', '.join(allowed) or 'lines of KEY: VALUE'}")
    refuse_base_60(where, text)
    for key, value in ((str(key), value) for key, value in values.items()):
        if allowed and key not in (*allowed, "sources"):
            raise ScenarioError(f"{where}: {key} is unknown; allowed are {', '.join(allowed)}")
        if key in _CHECKED and key in allowed and value is not None and not str(value).startswith("${"):
            try:
                check_value(_CHECKED[key], value)
            except ScenarioError as error:
                raise ScenarioError(f"{where}: {error}") from None
    return {str(key): value for key, value in values.items() if value is not None and key != "sources"}
