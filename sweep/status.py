"""status.json in the output folder, and ``python -m sweep.status DIR``, which tells another terminal what it says."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweep.command import Parser, exit_code
from sweep.progress import describe, duration, ended
from sweep.storage import Storage, open_storage
from workers.schema import ScenarioError

STATUS = "status.json"
EVERY_S = 1.0
"""Between two heartbeats."""
EVERY_REMOTE_S = 10.0
"""The same in an object store, where each costs a request."""
OLD_S = 30.0
"""A heartbeat of more than that is worth a word."""
RUNNING = "running"


class Heart:
    """Writes status.json each second from a thread of its own, so that it beats while chunks take minutes.

    ``counts``: a ``Progress.snapshot``. The status only tells: what a full disk or a service refuses is left out,
    never raised.
    """

    def __init__(self, folder: Storage, counts: Callable[[], dict[str, Any]], every_s: float | None = None) -> None:
        self.folder, self.counts = folder, counts
        self.every_s = every_s or (EVERY_S if "://" not in folder.url else EVERY_REMOTE_S)
        self.started = time.time()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._beat, name="status", daemon=True)
        self._say(RUNNING)
        self.thread.start()

    def stop(self, state: str) -> None:
        """The last word: how the sweep ended."""
        self.over.set()
        self.thread.join()
        self._say(state)

    def _beat(self) -> None:
        while not self.over.wait(self.every_s):
            self._say(RUNNING)

    def _say(self, state: str) -> None:
        who = {"state": state, "pid": os.getpid(), "host": platform.node()}
        when = {"started": self.started, "heartbeat": time.time()}
        with contextlib.suppress(OSError):
            self.folder.write(STATUS, json.dumps(who | when | self.counts()).encode())


def read(url: str) -> dict[str, Any]:
    """What status.json of an output folder says; raises ScenarioError where there is none that can be read."""
    try:
        said = json.loads(_bytes(url))
        text(said, time.time())  # all it needs is there, or it is none of ours
        return said
    except OSError as error:
        raise ScenarioError(f"{url} was given; it holds no {STATUS} of a sweep ({error.strerror or error})") from None
    except (ValueError, LookupError, TypeError, OverflowError):
        raise ScenarioError(f"{url} was given; its {STATUS} is none that a sweep writes") from None


def _bytes(url: str) -> bytes:
    """A path is read as such, as looking must not need a folder that can be written."""
    return open_storage(url, "DIR").read(STATUS) if "://" in url else Path(url, STATUS).read_bytes()


def text(said: dict[str, Any], now: float) -> str:
    """The status in two lines, and a third where it is not to be believed; ``now`` in seconds since the epoch."""
    age_s = max(now - said["heartbeat"], 0.0)
    lines = [
        f"{said['state']}, started {_utc(said['started'])} on {said['host']} (process {said['pid']:d})",
        describe(said) if said["state"] == RUNNING else ended(said),
    ]
    if said["state"] == RUNNING:
        lines.append(f"last heartbeat {duration(age_s)} ago{_doubt(said, age_s)}")
    return "\n".join(lines)


def _doubt(said: dict[str, Any], age_s: float) -> str:
    if age_s <= OLD_S:
        return ""
    if said["host"] != platform.node():
        return f"; the sweep may be gone: look at {said['host']}"
    return "; the process is gone" if not _alive(said["pid"]) else "; the process is there, but stands still"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def main(argv: list[str]) -> int:
    """Prints the status of a sweep's folder: 0, or 2 where there is none."""
    return exit_code("sweep.status", _run, argv)


def _run(argv: list[str]) -> int:
    parser = Parser(
        "python -m sweep.status",
        description="How far a sweep is: state, points done, re-used and failed, lockups, rate, time left, heartbeat.",
        epilog="exit codes: 0 told, 2 bad input (one sentence), 130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="output folder of the sweep, or s3://BUCKET/PREFIX")
    print(text(read(parser.parse_args(argv).folder), time.time()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
