"""What the commands beside ``python -m sweep`` share: how they read arguments and how they end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sweep.cli import BAD_INPUT, INTERRUPTED
from sweep.config import Library
from sweep.document.text import one_line
from sweep.storage import Storage
from sweep.storage.names import PART
from workers.schema import ScenarioError

KEPT = "; what was run is in the store, and the same command goes on"


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence, as everything here does, in place of a usage and a line."""

    def error(self, message: str) -> NoReturn:
        """Raises ScenarioError."""
        raise ScenarioError(f"{message}; see --help")


def start(name: str, run: Callable[[list[str]], int]) -> NoReturn:
    """The command as a process: its exit code; SIGTERM interrupts it as Ctrl-C does."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell has its background jobs ignore it
        signal.signal(number, signal.default_int_handler)
    sys.exit(exit_code(name, run, sys.argv[1:]))


def exit_code(name: str, run: Callable[[list[str]], int], argv: list[str], kept: str = KEPT) -> int:
    """Runs a command: what it returns, 2 for bad input (one sentence on stderr), 130 when interrupted (and what is
    ``kept`` then)."""
    try:
        return run(argv)
    except ScenarioError as error:
        print(f"{name}: {one_line(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted{kept}", file=sys.stderr)
        return INTERRUPTED


def refuse_foreign(folder: Storage, own: tuple[str, ...]) -> None:
    """Raises ScenarioError where a command's folder holds anything but its ``own`` files, or begins of them."""
    wanted = {name.partition("/")[0] for name in own}
    for name in _top(folder):
        if name not in wanted and not name.endswith(PART):
            raise ScenarioError(
                f"output: {folder.url} holds {name}, which is none of this command's; give an empty or a new folder"
            )


def _top(folder: Storage) -> list[str]:
    """What lies in a folder; of a local one no deeper, which may be the root of everything."""
    if "://" in folder.url:
        return sorted({name.partition("/")[0] for name, _ in folder.names()})
    path = Path(folder.url)
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def write(folder: Storage, files: dict[str, bytes]) -> None:
    """Writes a command's files, each whole; raises ScenarioError where the folder cannot be written."""
    try:
        for name, data in files.items():
            folder.write(name, data)
    except OSError as error:
        raise ScenarioError(f"output: {folder.url} cannot be written ({error.strerror or error})") from None


def library(config_dir: str | None) -> Library:
    """The named hosts, workloads and depots, those of the user's folder among them; raises ScenarioError."""
    from sweep.compose import compose

    composed = compose([*(["--config-dir", config_dir] if config_dir else []), "executor=inline"])
    assert composed is not None
    return composed.library
