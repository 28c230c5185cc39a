"""``python -m sweep``."""

import logging
import os
import signal
import sys

from sweep import THREADS

os.environ.update(THREADS)  # before numpy and polars are imported; Ray's workers inherit it

from sweep.cli import main

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where HOME is read-only

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell has its background jobs ignore it
        signal.signal(number, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
