"""manifest.json: what a results folder came from. Never the environment, which may hold secrets."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import sweep
from sweep.output import MANIFEST
from workers import MODEL_VERSION
from workers.schema import Columns

PACKAGES = ("hydra-core", "omegaconf", "numpy", "polars", "ray", "matplotlib")


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


def seeds(columns: Columns) -> list[int]:
    """The distinct seeds of the scenarios, the first thousand of them."""
    return np.unique(columns["seed"])[:1000].tolist()


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Writes beside and renames, so that it is always whole."""
    beside = folder / f"{MANIFEST}.part"
    beside.write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")
    beside.replace(folder / MANIFEST)


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
