"""A processor without AVX-512 and AVX2 gives the same figures within the tolerances."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.baseline.compare import compare
from sweep.baseline.file import parse
from tests.sweep.baseline.measured import measured

ROOT = Path(__file__).parents[3]
GRID = ("+grid=ci", "grid.cpus=[64]", "grid.iova_pages=[16,64]", "grid.policy=[array,list]", "grid.horizon_s=0.2")
SCRIPT = f"""
import sys
import numpy as np
from sweep.baseline.file import text
from tests.sweep.baseline.measured import measured
assert not np.show_config(mode="dicts")["SIMD Extensions"].get("found"), "still on"
sys.stdout.write(text(measured(*{GRID!r})))
"""


def test_without_the_wide_instructions() -> None:
    wide = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload]
    if not wide:
        pytest.skip("numpy uses nothing beyond its baseline on this processor")
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide)}
    said = subprocess.check_output([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, text=True, timeout=300)
    found = compare(measured(*GRID), parse(said))
    assert found.holds, found.moved
    assert len(found.labels) == 4
