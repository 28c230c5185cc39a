"""``python -m sweep``."""

import os
import sys

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
