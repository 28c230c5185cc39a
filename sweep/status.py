"""status.json in the output folder, and ``python -m sweep.status DIR``, which tells another terminal what it says."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sweep.command import COMPLETE, ENDS, FAILED_POINTS, Parser, start
from sweep.output import STATUS, refuse_foreign
from sweep.progress import describe, duration, ended
from sweep.storage import Storage, open_to_read
from sweep.storage.names import is_remote
from workers.schema import ScenarioError

EVERY_S = 1.0
"""Between two heartbeats."""
EVERY_REMOTE_S = 10.0
"""The same in an object store, where each costs a request."""
OLD_S = 30.0
"""A heartbeat of more than that is worth a word."""
RUNNING, GONE, SILENT = "running", "gone", "silent"
CODES = {"complete": COMPLETE, "failed points": FAILED_POINTS, RUNNING: 3}
"""Exit codes; any other standing ends in NOT_COMPLETE."""

NOT_COMPLETE = 4


class Heart:
    """Writes status.json each second from a thread of its own, so that it beats while chunks take minutes.

    ``counts``: a ``Progress.snapshot``. The status only tells: what a full disk or a service refuses is left out,
    never raised.
    """

    def __init__(self, folder: Storage, counts: Callable[[], dict[str, Any]], every_s: float | None = None) -> None:
        self.folder, self.counts = folder, counts
        self.every_s = every_s or (EVERY_REMOTE_S if is_remote(folder.url) else EVERY_S)
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
    folder = open_to_read(url)
    try:
        return _parsed(folder.read(STATUS))
    except OSError as error:
        raise ScenarioError(f"{url} was given; it holds no {STATUS} of a sweep ({error.strerror or error})") from None
    except DAMAGED:
        raise ScenarioError(f"{url} was given; its {STATUS} is none that a sweep writes") from None


DAMAGED = (ValueError, LookupError, TypeError, OverflowError)
"""What a status that no sweep wrote raises."""


def _parsed(data: bytes) -> dict[str, Any]:
    """Raises one of DAMAGED."""
    said = json.loads(data)
    text(said, time.time())  # all it needs is there, or it is none of ours
    return said


def begin(folder: Storage, key: str, counts: Callable[[], dict[str, Any]]) -> Heart:
    """The heart of the sweep ``key`` into the folder.

    Raises ScenarioError where another process is writing one there, or another sweep has meanwhile.
    """
    with _alone(folder):
        refuse_running(folder)
        refuse_foreign(folder, key)
        return Heart(folder, counts)


@contextlib.contextmanager
def _alone(folder: Storage) -> Iterator[None]:
    """One process of this machine at a time, where the file system can lock; a lock ends with its process."""
    with contextlib.ExitStack() as opened:
        if not is_remote(folder.url):
            with contextlib.suppress(OSError):
                os.makedirs(folder.url, exist_ok=True)
                descriptor = os.open(folder.url, os.O_RDONLY)
                opened.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def refuse_running(folder: Storage) -> None:
    """Raises ScenarioError where another process is writing a sweep into the folder.

    One that is gone blocks nothing. Of another machine's that is seen by its heartbeat, which is waited for: a driver
    that is started again elsewhere, at once, has to go on. Whatever cannot be read is no sign of one.
    """
    first = None
    while True:
        try:
            said, now = _parsed(folder.read(STATUS)), time.time()
        except (OSError, *DAMAGED):
            return
        own = (said["pid"], said["host"]) == (os.getpid(), platform.node())  # in a container's earlier life
        if standing_of(said, now) != RUNNING or own:
            return
        first = first or said["heartbeat"]
        if said["host"] != platform.node() and said["heartbeat"] == first:
            time.sleep(EVERY_S)
            continue
        raise ScenarioError(
            f"output: another sweep is writing {folder.url}: process {said['pid']} on {said['host']}, last heartbeat"
            f" {duration(abs(now - said['heartbeat']))} ago; wait for its end, stop it, or give another folder"
        )


def standing_of(said: dict[str, Any], now: float) -> str:
    """How a sweep stands: RUNNING, GONE, SILENT, or as it ended; ``now`` in seconds since the epoch."""
    if said["state"] != RUNNING:
        return said["state"]
    if said["host"] == platform.node() and not _alive(said["pid"]):
        return GONE
    return RUNNING if abs(now - said["heartbeat"]) <= OLD_S else SILENT  # a clock ahead is no life either


def text(said: dict[str, Any], now: float) -> str:
    """The status in two lines, and a third where it has not ended; ``now`` in seconds since the epoch."""
    age_s, standing = max(now - said["heartbeat"], 0.0), standing_of(said, now)
    headline = {
        GONE: "interrupted, its process is gone; the same command goes on",
        SILENT: f"no heartbeat for {duration(age_s)}",
    }.get(standing, standing)
    lines = [
        f"{headline}, started {_utc(said['started'])} on {said['host']} (process {said['pid']:d})",
        describe(said) if standing == RUNNING else ended(said),
    ]
    if said["state"] == RUNNING:
        doubt = ""
        if standing == SILENT:
            here = said["host"] == platform.node()
            doubt = "; the process is there, but stands still" if here else f"; it may be gone: look at {said['host']}"
        lines.append(f"last heartbeat {duration(age_s)} ago{doubt}")
    return "\n".join(lines)


def _alive(pid: int) -> bool:
    """Whether there is such a process here; a zombie, which nobody has waited for yet, does nothing any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return True


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def main(argv: list[str]) -> int:
    """Prints the status of a sweep's folder; how it stands: 0 complete, 1 finished with failed points, 3 running, 4
    ended without completing, or no heartbeat for OLD_S. Raises ScenarioError for bad input."""
    parser = Parser(
        "python -m sweep.status",
        description="How far a sweep is: state, points done, re-used and failed, lockups, share of the work, time left,"
        " heartbeat.",
        epilog="exit codes: 0 complete, 1 finished with failed points, 3 running,"
        f" 4 ended without completing or no heartbeat for {OLD_S:.0f} s, {ENDS}",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="output folder of the sweep, or s3://BUCKET/PREFIX")
    said, now = read(parser.parse_args(argv).folder), time.time()
    print(text(said, now))
    return CODES.get(standing_of(said, now), NOT_COMPLETE)


if __name__ == "__main__":
    start("sweep.status", main)
