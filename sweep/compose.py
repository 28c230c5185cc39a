"""From the command line to a configuration, by Hydra; the one module that knows Hydra and OmegaConf.

Hydra only composes: the sweep runs after it has returned, so it leaves no folder and no log
behind, and each of its own errors becomes one sentence (ScenarioError).
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
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
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from sweep.axes import COLUMNS, NAMED
from sweep.config import COST_NAMES, LOAD_NAMES, RATE, Library, SweepConfig
from workers.policy import POLICY_KEYS
from workers.schema import ScenarioError, check_value

ConfigStore.instance().store(name="schema", node=SweepConfig)

GROUPS = {"depot": POLICY_KEYS, "host": COST_NAMES, "workload": (*LOAD_NAMES, RATE)}
"""Groups whose files a grid names, and the keys of such a file (beside ``sources``)."""

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
    given = {*quoted, *("+" + a for a in quoted)}  # not what _with_grid adds

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
        composed.append(Composed(plain, library, tuple(o for o in overrides if o in given)))

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _arguments(_with_grid(quoted)):
            take()
    except SystemExit as stop:
        if stop.code:
            last = said.getvalue().strip().splitlines()[-1]
            raise ScenarioError(_flat(last.removeprefix("sweep: error: "))) from None
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError) as error:
        if not isinstance(error, ScenarioError):
            for where, file, allowed in _asked_for(argv):
                _values(where, file, allowed)  # says what is wrong with it, and its name, which Hydra does not
            raise ScenarioError(_sentence(error)) from None
        raise
    sys.stderr.write(said.getvalue())
    return composed[0] if composed else None


@contextlib.contextmanager
def _arguments(argv: list[str]) -> Iterator[None]:
    """Hydra reads sys.argv, and hands its errors on, instead of printing them, under HYDRA_FULL_ERROR."""
    with mock.patch.object(sys, "argv", ["sweep", *argv]), mock.patch.dict(os.environ, {"HYDRA_FULL_ERROR": "1"}):
        yield


def _quoted(argument: str) -> str:
    """Paths are taken as they are: brackets, commas and blanks in them are not Hydra's, nor are letters like ü."""
    key, _, path = argument.partition("=")
    foreign = not path.isascii() and re.fullmatch(r"[\w.-]+", path)
    if path in ("", "null") or path[0] in "'\"" or not (foreign or key in _PATHS):
        return argument
    escaped = path.replace("'", "\\'")
    return f"{key}='{escaped}'"


_PATHS = ("points", "output", "store", "point", "baselines")


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
    list_or_spec = re.compile(r"\+*(grid\.(?!points=)\w+)=[{\[]")
    emptied = {a: f"{axis[1]}=null" for a in argv if (axis := list_or_spec.match(a))}
    argv = [b for a in argv for b in ([emptied[a], a.lstrip("+")] if a in emptied else [a])]
    named = any(re.match(r"\+grid=|points=(?!null$).", a) for a in argv)
    return argv if named else [*argv, "+grid=small"]


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
        group = key.partition(".")[0]
        if config.points is not None and group in ("grid", "host", "workload"):
            raise ScenarioError(f"{key}: given beside points; the rows of {config.points} say all by themselves")
        if group in ("host", "workload") and config.grid[group] is not None:
            raise ScenarioError(f"{key}: given, but grid {config.grid.name} names its own; use grid.{group}=[...]")
        if config.point is not None and group in NOT_OF_POINT:
            why = "which runs one scenario in this process, without sweep, store or report"
            raise ScenarioError(f"{key}: given beside point, {why}")
        if key == "baselines" and config.baseline is None:
            raise ScenarioError("baselines: given without baseline=check or baseline=update")


def _refuse_appended(config: SweepConfig) -> None:
    """Raises ScenarioError for a key that ``+key=value`` added to the schema, where Hydra allows any."""
    for where, table in (("", config), *((f"{name}.", getattr(config, name)) for name in _TABLES)):
        known = [field.name for field in dataclasses.fields(table)]
        for key in vars(table):
            if key not in known:
                raise ScenarioError(_unknown(where + key, known))


_TABLES = ("grid", "host", "workload", "cluster")
_KEYS = {type(table).__name__: list(vars(table)) for table in (getattr(SweepConfig(), name) for name in _TABLES)}
"""Keys of each table, by the name of its class, as OmegaConf's errors give it."""


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
        values = OmegaConf.to_container(OmegaConf.create(file.read_text(encoding="utf-8")))
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{where}: is no UTF-8 text ({error.reason} at byte {error.start})") from None
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:
        raise ScenarioError(f"{where}: cannot be read as YAML ({_flat(str(error))})") from None
    if not isinstance(values, dict):
        raise ScenarioError(f"{where}: holds no keys; allowed are {', '.join(allowed) or 'lines of KEY: VALUE'}")
    for key, value in ((str(key), value) for key, value in values.items()):
        if allowed and key not in (*allowed, "sources"):
            raise ScenarioError(f"{where}: {key} is unknown; allowed are {', '.join(allowed)}")
        if key in COLUMNS and key in allowed and value is not None and not str(value).startswith("${"):
            try:
                check_value(COLUMNS[key], value)
            except ScenarioError as error:
                raise ScenarioError(f"{where}: {error}") from None
    return {str(key): value for key, value in values.items() if value is not None and key != "sources"}


def _sentence(error: BaseException) -> str:
    """What is wrong, in one sentence: from the first error in the chain that knows the key."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, OverrideParseException):
            return f"{link.override!r} was given; it cannot be read as key=value"
        if isinstance(link, MissingConfigException) and link.missing_cfg_file:
            group, _, name = link.missing_cfg_file.rpartition("/")
            if not link.options:
                return f"defaults: {name!r} was given; there is no file {link.missing_cfg_file}.yaml"
            return f"{group}: {name!r} was given; allowed are {', '.join(link.options)}"
        if isinstance(link, (ConfigKeyError, ConfigAttributeError)) and link.parent_node is not None:
            return _unknown_key(str(link.full_key), link.parent_node)
        if isinstance(link, ValidationError) and (bad := re.match(r"Value '(.*)' is not a valid bool", str(link.msg))):
            return f"{link.full_key}: {bad[1]!r} was given; allowed are true and false"
        if isinstance(link, ValidationError) and link.full_key:
            return f"{link.full_key}: {_flat(str(link.msg))}"
        if isinstance(link, UnicodeDecodeError):
            return f"a configuration file is no UTF-8 text ({link})"
    text = _flat(str(error).partition("See https://")[0])
    if ambiguous := re.match(r"Ambiguous value for argument '([^=]+)=(.*?)' ", text):
        key, values = ambiguous[1], ambiguous[2]
        return f"{key}: {values!r} was given; a list stands in brackets: {key}=[{values}]"
    if text.startswith("Error merging override "):
        return f"{text.removeprefix('Error merging override ')!r} was given; {_flat(str(chain[-1])).rstrip('.')}"
    if composing := re.match(r"In '([^']+)': \w+ raised while composing config: (.*)", text):
        where, text = f"{composing[1]}.yaml", composing[2]
        key = re.match(r"Key '(.+)' not in '(\w+)'", text)
        known = _KEYS.get(key[2]) if key else None
        text = f"{where}: {_unknown(key[1], known) if key and known else text}"
    return text


def _unknown_key(full_key: str, parent: Any) -> str:
    return _unknown(full_key, [str(key) for key in parent if key != "hydra"] if isinstance(parent, DictConfig) else [])


def _unknown(full_key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(full_key.rpartition(".")[2], known, n=1)
    return f"{full_key}: unknown key; " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")


def _flat(text: str) -> str:
    """Several lines as one; what OmegaConf repeats about keys and types left out."""
    lines = [line.strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"(full_key|object_type|reference_type)[:=]", line))
