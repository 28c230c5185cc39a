"""manifest.json: what a results folder came from. Never the environment, which may hold secrets."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import sweep
from sweep.output import MANIFEST
from sweep.storage import Storage
from workers import MODEL_VERSION
from workers.schema import ScenarioError

PACKAGES = ("hydra-core", "omegaconf", "numpy", "polars", "ray", "matplotlib")
READ = {"command": list, "config": dict, "versions": dict, "host": dict}
"""What a report reads there, whichever version of the farm wrote it."""


def versions() -> dict[str, Any]:
    """Versions of the farm, the model, Python and the packages, and the commit of a source tree."""
    return {
        "farm": sweep.__version__,
        "model": MODEL_VERSION,
        "git": _commit(Path(__file__).resolve().parent.parent),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def host() -> dict[str, Any]:
    """The machine that started the sweep."""
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def write(folder: Storage, manifest: dict[str, Any]) -> None:
    """Writes it; it is always whole. Raises OSError."""
    folder.write(MANIFEST, (json.dumps(manifest, indent=2, default=str) + "\n").encode())


def check(manifest: dict[str, Any], url: str) -> None:
    """Raises ScenarioError where a manifest, of the folder ``url``, is none that a sweep writes."""
    for key, kind in READ.items():
        if not isinstance(manifest.get(key), kind):
            are = "are" if key == "versions" else "is"
            raise ScenarioError(f"DIR: {url} was given; the {key} in its {MANIFEST} {are} none that a sweep writes")


def _commit(tree: Path) -> str | None:
    """HEAD of the source tree, '+' where files differ from it; None where this is none, or there is no git."""
    if not (tree / ".git").exists():
        return None
    try:
        head = _git(tree, "rev-parse", "HEAD")
        return head + ("+" if _git(tree, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(tree: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(tree), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
