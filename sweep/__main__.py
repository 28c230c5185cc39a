"""``python -m sweep``."""

from __future__ import annotations

import logging
import os

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.cli import main
from sweep.command import start

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where HOME is read-only

if __name__ == "__main__":
    start("sweep", main)
