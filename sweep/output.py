"""The folder of a sweep: which one, and whether it may be used."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from sweep.storage import Storage
from sweep.storage.names import PART, is_remote
from workers.schema import ScenarioError

MANIFEST, STATUS, STORE = "manifest.json", "status.json", "store"
ABSENT = f"it has no {MANIFEST}"


def folder_of(output: str | None, name: str) -> str:
    """``output``, or results/NAME/TIME (UTC) below the current folder; raises ScenarioError for an unfit name.

    A name has to fit beside ``output`` too: a file of the store is named by it. TIME is to the microsecond: the folder
    is made later, as bad input must leave none, and commands that begin in one second must not share it.
    """
    if not re.fullmatch(r"\w[\w.-]{0,99}", name) or name == STORE:
        raise ScenarioError(
            f"grid.name: {name!r} was given; allowed are up to 100 letters, digits, _, - and ., neither - nor . first,"
            f" and not {STORE!r}: a folder and a file are named by it"
        )
    if output is not None:
        return output
    return str(Path("results", name, datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")).absolute())


def name_of(points: str) -> str:
    """A folder's name for the sweep of a points file."""
    name = re.sub(r"^-|[^\w-]", "_", Path(points).stem)[:100]
    return f"{name}_" if name == STORE else name


def store_of(store: str | None, folder: str) -> str:
    """``store``, or results/store below the current folder; for results in an object store, store in that bucket."""
    if store is not None:
        return store
    if not is_remote(folder):
        return str(Path("results", STORE))
    scheme, _, rest = folder.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/{STORE}"


def refuse_foreign(folder: Storage, key: str) -> None:
    """Raises ScenarioError where the folder holds something else than the sweep ``key``."""
    if (why := foreign(folder, key)) and _holds_anything(folder):
        raise ScenarioError(
            f"output: {folder.url} holds something else than this sweep: {why}; give an empty or a new folder"
        )


def refuse_other_results(folder: Storage, key: str) -> None:
    """Raises ScenarioError where the folder, whatever else is in it, has the manifest of another sweep than ``key``."""
    if (why := foreign(folder, key)) not in ("", ABSENT):
        raise ScenarioError(f"--output: {folder.url} holds other results: {why}; give another folder")


def refuse_nested(folder: Storage, store: Storage, named: bool) -> None:
    """Raises ScenarioError where one of them lies in the other; the usual store may lie in the folder.

    ``named``: the configuration names the store.
    """
    inner, outer = (f"{url if is_remote(url) else os.path.realpath(url)}/" for url in (folder.url, store.url))
    if inner.startswith(outer) or (named and outer.startswith(inner)):
        raise ScenarioError(
            f"store: {store.url} was given with output {folder.url}; allowed are two folders, none in the other"
        )


def top(folder: Storage) -> list[str]:
    """What lies in a folder; of a local one no deeper, which may be the root of everything.

    Raises ScenarioError for one that may be written, but not read.
    """
    try:
        if is_remote(folder.url):
            return sorted({name.partition("/")[0] for name, _ in folder.names()})
        return sorted(os.listdir(folder.url)) if os.path.isdir(folder.url) else []
    except OSError as error:
        raise ScenarioError(f"output: {folder.url} cannot be read ({error.strerror or error})") from None


def _holds_anything(folder: Storage) -> bool:
    """Whether there is more than what a sweep leaves that is killed before its manifest is written."""
    return any(name != STATUS and not name.endswith(PART) for name in top(folder))


def foreign(folder: Storage, key: str) -> str:
    """What tells that the folder is not of the sweep ``key``; nothing where it is."""
    try:
        found = json.loads(folder.read(MANIFEST))["sweep_key"]
    except FileNotFoundError:
        return ABSENT
    except OSError as error:
        return f"its {MANIFEST} cannot be read ({error.strerror or error})"
    except (LookupError, TypeError):
        return f"its {MANIFEST} has no sweep_key"
    except ValueError:
        return f"its {MANIFEST} is damaged: no JSON"
    return "" if found == key else f"its {MANIFEST} is of another sweep, or of another version of the model"
