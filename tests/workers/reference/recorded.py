"""The recorded answers in tests/data that the twin is compared with."""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data"
TRACES = sorted((p.parent.name, p.name.removesuffix(".jsonl.xz")) for p in DATA.glob("traces/*/*.jsonl.xz"))
"""(kernel, trace) of every recording."""

DECIMALS = {
    "irqs_off_max_ms": 4,
    "softirq_residency_max_ms": 2,
    "rbtree_lock_wait_mean_us": 2,
    "rbtree_lock_wait_max_us": 1,
}
"""Decimals a figure was recorded with; 3 for the others."""


def operations(trace: str) -> list[str]:
    return _lines(DATA / "traces" / f"{trace}.ops.xz")


def answers(kernel: str, trace: str) -> list[str]:
    return _lines(DATA / "traces" / kernel / f"{trace}.jsonl.xz")


def alike(answer: str, wanted: str, trace: str) -> bool:
    """Equal to the byte; from trace 20 on but for the three visit counters, which were not recorded there."""
    return answer == wanted if trace < "20" else _VISITS.sub(r"\1,0,0,0", answer) == _VISITS.sub(r"\1,0,0,0", wanted)


_VISITS = re.compile(r"(\"c\":\[(?:-?\d+,){10}-?\d+),\d+,\d+,\d+")


def truth() -> list[dict[str, Any]]:
    """Rows of scenario, policy and expected counters."""
    return [json.loads(line) for line in _lines(DATA / "twin_truth.jsonl.xz")]


def differences(counted: dict[str, Any], expected: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Columns where the counted value, rounded as recorded, is another: (counted, expected)."""
    return {
        name: (counted[name], value)
        for name, value in expected.items()
        if abs(counted[name] - value) > (0.51 * 10.0 ** -DECIMALS.get(name, 3) if isinstance(value, float) else 0)
    }


def _lines(path: Path) -> list[str]:
    with lzma.open(path, "rt") as stream:
        return stream.read().splitlines()
