"""``python -m sweep.capacity FLEET.csv``."""

from __future__ import annotations

import os
import sys

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.capacity.cli import main
from sweep.command import exit_code

if __name__ == "__main__":
    sys.exit(exit_code("sweep.capacity", main, sys.argv[1:]))
