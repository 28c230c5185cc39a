"""``python -m sweep.sru HOST|FLEET``."""

from __future__ import annotations

import os
import sys

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.command import exit_code
from sweep.sru.cli import main

if __name__ == "__main__":
    sys.exit(exit_code("sweep.sru", main, sys.argv[1:]))
