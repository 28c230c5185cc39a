"""``python -m sweep.sru HOST|FLEET``."""

from __future__ import annotations

import os

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.command import start
from sweep.sru.cli import main

if __name__ == "__main__":
    start("sweep.sru", main)
