"""The manifest of a sweep, as a report reads it."""

from __future__ import annotations

from typing import Any

from workers import MODEL_VERSION


def manifest(texts: tuple[str, ...] = ("plain",), **more: Any) -> dict[str, Any]:
    """One in which every text that input or a machine may set is of ``texts``."""
    said = " ".join(texts)
    return {
        "command": ["python", "-m", "sweep", *texts],
        "config": {"grid": {"name": said}},
        "versions": {"farm": "0.1.0", "model": MODEL_VERSION, "git": None, "python": "3.11", "numpy": "2.0"},
        "host": {"name": said, "system": said, "machine": said, "cpus": 2},
        "seeds": [0],
        "reused": 0,
        "predicted": {"core_s": 10.0, "wall_s": 5.0, "peak_mib": 100},
        "actual": {"core_s": 12.0, "wall_s": 7.5, "peak_mib": 90},
    } | more
