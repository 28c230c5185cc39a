"""The benchmark of the farm's scale, with fewer scenarios: the driver's memory does not follow their number."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS, MOST_MIB = 200_000, 620
"""The driver takes some 530 MiB; results of so many scenarios, with the scenarios themselves, would take 135 more."""


def test_the_driver_s_memory(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "benchmarks.farm_scale", "--rows", str(ROWS), "--folder", str(tmp_path)]
    environment = os.environ | {"RAY_ADDRESS": ""}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert f"{ROWS:,} scenarios, 0 re-used" in done.stdout, done.stderr
    most = re.search(r"driver: at most (\d+) MiB", done.stdout)
    assert most
    assert int(most[1]) < MOST_MIB
