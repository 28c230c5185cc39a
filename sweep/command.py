"""What the commands share: how they read arguments, where they write, and how they end."""

from __future__ import annotations

import argparse
import html
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sweep import output
from sweep.config import Library
from sweep.document.text import one_line, shown
from sweep.storage import Storage, open_storage
from sweep.storage.names import PART, is_remote
from sweep.store.chunk import FAILED
from workers.schema import ScenarioError

COMPLETE, FAILED_POINTS, BAD_INPUT, DEFECT, INTERRUPTED, UNHEARD = 0, 1, 2, 70, 130, 141
ENDS = f"{BAD_INPUT} bad input (one sentence), {DEFECT} a defect of the program, {INTERRUPTED} interrupted"
"""Exit codes of every command, for its help."""

MOST_FAILURES = 10
"""Failed runs that are named."""


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


def exit_code(name: str, run: Callable[[list[str]], int], argv: list[str]) -> int:
    """Runs a command: what it returns, 2 for bad input (one sentence on stderr), 130 when interrupted.

    70 for what nobody expected, which Python would end in 1, as failed points do: a sentence, and where it came from.
    141, as a shell has it, where nobody reads any more what is printed.
    """
    try:
        code = run(argv)
        sys.stdout.flush()
        return code
    except ScenarioError as error:
        print(f"{name}: {one_line(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; give the same command again", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())  # Python flushes once more as it ends
        os.dup2(nobody, sys.stderr.fileno())
        return UNHEARD
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")
        print(f"{name}: ended by a defect of the program, please report it: {said}", file=sys.stderr)
        print(shown(traceback.format_exc()), end="", file=sys.stderr)
        return DEFECT


def refuse_other_files(folder: Storage, own: tuple[str, ...]) -> None:
    """Raises ScenarioError where a command's folder holds anything but its ``own`` files, or begins of them."""
    wanted = {name.partition("/")[0] for name in own}
    for name in output.top(folder):
        if name not in wanted and not name.endswith(PART):
            raise ScenarioError(
                f"output: {folder.url} holds {name}, which is none of this command's; give an empty or a new folder"
            )


def refuse_to_replace(given: str, folder: Storage, names: Iterable[str]) -> None:
    """Raises ScenarioError where a file of the folder, one of ``names``, is the very file ``given`` to be read."""
    for name in () if is_remote(folder.url) else names:
        if os.path.realpath(os.path.join(folder.url, name)) == os.path.realpath(given):
            raise ScenarioError(
                f"{given} was given; output {folder.url} would replace it by the {name} that is written there;"
                " give another folder"
            )


def refuse_another_report(folder: Storage, file: str, title: str, of: str) -> None:
    """Raises ScenarioError where the Markdown ``file`` of a folder has another title than ``title`` and ``of``."""
    try:
        first = folder.read(file).decode(errors="replace").partition("\n")[0]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ScenarioError(f"output: {folder.url}/{file} cannot be read ({error.strerror or error})") from None
    held = html.unescape(re.sub(r"\\(.)", r"\1", first)).removeprefix("# ")  # what to_markdown escaped
    if held != one_line(title + of):
        what = f"the report of {held.removeprefix(title)}" if held.startswith(title) else f"{file} of something else"
        raise ScenarioError(f"output: {folder.url} holds {what}, not of {of}; give an empty or a new folder")


@dataclass(frozen=True)
class Folder:
    """Where a command writes its ``files``, by name, and what it was ``given``: the path of a file, or a name.

    The title of its Markdown is ``title`` and ``of``: the part that all have, and whose it is.
    """

    storage: Storage
    files: tuple[str, ...]
    given: str
    title: str
    of: str

    @property
    def url(self) -> str:
        """An absolute path, or s3://bucket/prefix."""
        return self.storage.url

    def check(self) -> None:
        """Raises ScenarioError where writing would replace the file given, or stand among somebody else's files."""
        refuse_to_replace(self.given, self.storage, self.files)
        refuse_other_files(self.storage, self.files)
        markdown = next(name for name in self.files if name.endswith(".md"))
        refuse_another_report(self.storage, markdown, self.title, self.of)

    def write(self, files: dict[str, bytes]) -> None:
        """Writes some of its files, each whole; raises ScenarioError where the folder cannot be written.

        Checks it again: while the scenarios ran, another command may have written there.
        """
        self.check()
        try:
            for name, data in files.items():
                self.storage.write(name, data)
        except OSError as error:
            raise ScenarioError(f"output: {self.url} cannot be written ({error.strerror or error})") from None


def run_options(parser: argparse.ArgumentParser, name: str, horizon_s: float) -> None:
    """Adds the options of a command that runs scenarios; ``name``: its folder in results."""
    parser.add_argument("--output", metavar="DIR", help=f"folder or s3:// for its files (results/{name}/TIME)")
    parser.add_argument("--store", metavar="DIR", help="store of all results (results/store, shared with sweeps)")
    parser.add_argument("--config-dir", metavar="DIR", help="folder with host/ and workload/ files of your own")
    parser.add_argument(
        "--horizon-s", default=horizon_s, metavar="S", help=f"virtual seconds of each run ({horizon_s:g})"
    )
    parser.add_argument("--inline", action="store_true", help="run in this process, without Ray")
    parser.add_argument("--quiet", action="store_true", help="print failures and where the result is, nothing else")


def places(
    options: argparse.Namespace, name: str, files: tuple[str, ...], given: str, title: str, of: str
) -> tuple[Folder, Storage]:
    """The folder for a command's ``files`` and the store, by ``run_options``; raises ScenarioError.

    ``given``, ``title`` and ``of``: see ``Folder``.
    """
    url = output.folder_of(options.output, name)
    folder = Folder(open_storage(url, "output"), files, given, title, of)
    folder.check()
    store = open_storage(output.store_of(options.store, url), "store")
    output.refuse_nested(folder.storage, store, options.store is not None)
    return folder, store


def told_failures(rows: Iterable[Mapping[str, Any]]) -> int:
    """Names the first failed runs on stderr; the exit code."""
    failed = [row for row in rows if row["status"] == FAILED]
    for row in failed[:MOST_FAILURES]:
        print(one_line(f"failed: {row['id']}: {row['error']}"), file=sys.stderr)
    return FAILED_POINTS if failed else COMPLETE


def library(config_dir: str | None) -> Library:
    """The named hosts, workloads and depots, those of the user's folder among them; raises ScenarioError."""
    from sweep.compose import compose

    composed = compose([*(["--config-dir", config_dir] if config_dir else []), "executor=inline"])
    assert composed is not None
    return composed.library
