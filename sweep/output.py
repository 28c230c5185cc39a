"""The folder of a sweep: which one, and whether it may be used."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from sweep.storage import Storage
from workers.schema import ScenarioError

MANIFEST, STORE = "manifest.json", "store"


def folder_of(output: str | None, name: str) -> str:
    """``output``, or results/NAME/TIME (UTC) below the current folder; raises ScenarioError for an unfit name."""
    if output is not None:
        return output
    if not re.fullmatch(r"\w[\w.-]{0,99}", name) or name == STORE:
        raise ScenarioError(
            f"grid.name: {name!r} was given; allowed are letters, digits, _, - and ., but for {STORE}, as it names a"
            " folder"
        )
    parent, now = Path("results", name).absolute(), datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    same_second = len(list(parent.glob(f"{now}*"))) if parent.is_dir() else 0
    return str(parent / (f"{now}-{same_second + 1}" if same_second else now))


def name_of(points: str) -> str:
    """A folder's name for the sweep of a points file."""
    name = re.sub(r"^-|[^\w-]", "_", Path(points).stem)[:100]
    return f"{name}_" if name == STORE else name


def store_of(store: str | None, folder: str) -> str:
    """``store``, or results/store below the current folder; for results in an object store, store in that bucket."""
    if store is not None:
        return store
    scheme, separator, rest = folder.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/{STORE}" if separator else str(Path("results", STORE))


def refuse_foreign(folder: Storage, key: str) -> None:
    """Raises ScenarioError where the folder holds something else than the sweep ``key``."""
    if _key_in(folder) != key and _holds_anything(folder):
        raise ScenarioError(f"output: {folder.url} holds something else than this sweep; give an empty or a new folder")


def _holds_anything(folder: Storage) -> bool:
    if "://" in folder.url:
        return bool(folder.names())
    return Path(folder.url).is_dir() and any(Path(folder.url).iterdir())


def _key_in(folder: Storage) -> str | None:
    try:
        return json.loads(folder.read(MANIFEST))["sweep_key"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
