"""``python -m sweep.capacity FLEET.csv``."""

from __future__ import annotations

import os

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.capacity.cli import main
from sweep.command import start

if __name__ == "__main__":
    start("sweep.capacity", main)
