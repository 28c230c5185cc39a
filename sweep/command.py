"""What the commands beside ``python -m sweep`` share: how they read arguments and how they end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from sweep.cli import BAD_INPUT, INTERRUPTED
from sweep.config import Library
from sweep.storage import Storage
from workers.schema import ScenarioError


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence, as everything here does, in place of a usage and a line."""

    def error(self, message: str) -> NoReturn:
        """Raises ScenarioError."""
        raise ScenarioError(f"{message}; see --help")


def exit_code(name: str, run: Callable[[list[str]], int], argv: list[str]) -> int:
    """Runs a command: what it returns, 2 for bad input (one sentence on stderr), 130 when interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell has its background jobs ignore it
        signal.signal(number, signal.default_int_handler)
    try:
        return run(argv)
    except ScenarioError as error:
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; what was run is in the store, and the same command goes on", file=sys.stderr)
        return INTERRUPTED


def refuse_foreign(folder: Storage, own: tuple[str, ...]) -> None:
    """Raises ScenarioError where a command's folder holds files that it would not write."""
    foreign = [name for name, _ in folder.names() if name not in own]
    if foreign:
        raise ScenarioError(
            f"output: {folder.url} holds {foreign[0]}, which is none of this command's; give an empty or a new folder"
        )


def write(folder: Storage, files: dict[str, bytes]) -> None:
    """Writes a command's files, each whole; raises ScenarioError where the folder cannot be written."""
    try:
        for name, data in files.items():
            folder.write(name, data)
    except OSError as error:
        raise ScenarioError(f"output: {folder.url} cannot be written ({error.strerror or error})") from None


def library(config_dir: str | None) -> Library:
    """The named hosts, workloads and depots, those of a folder of the user's first; raises ScenarioError."""
    from sweep.compose import compose

    composed = compose([*(["--config-dir", config_dir] if config_dir else []), "executor=inline"])
    assert composed is not None
    return composed.library
