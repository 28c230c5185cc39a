"""A folder as storage; on a cluster, one on a file system that all nodes see under the same path."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweep.storage.names import PART, checked, checked_prefix

ABANDONED_S = 3600.0
"""A file that is still being written after that has no writer any more: a write takes seconds."""


@dataclass(frozen=True)
class LocalStorage:
    """Files below the folder ``url``, an absolute path; see ``sweep.storage.Storage``."""

    url: str

    @classmethod
    def at(cls, path: str) -> LocalStorage:
        """The folder ``path``, from the current folder where it is relative; ~ is the user's own."""
        return cls(os.path.abspath(os.path.expanduser(path)))

    def write(self, name: str, data: bytes) -> None:
        """Beside under a name of its own, to the disk, then renamed: a file of that name is always whole."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{uuid.uuid4().hex}{PART}")
        try:
            with open(beside, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:  # a full disk needs the room
            beside.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes:
        """See ``sweep.storage.Storage``."""
        return self._path(name).read_bytes()

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        """Files being written are left out, as are files that go while this looks."""
        return sorted((name, size) for name, size, _ in self._files(checked_prefix(prefix)) if not name.endswith(PART))

    def delete(self, name: str) -> None:
        """See ``sweep.storage.Storage``."""
        self._path(name).unlink(missing_ok=True)

    def clear_parts(self) -> None:
        """By age, because another sweep may be writing here."""
        latest = time.time() - ABANDONED_S
        old = [name for name, _, written in self._files("") if name.endswith(PART) and written <= latest]
        for name in old:
            Path(self.url, name).unlink(missing_ok=True)

    def polars(self, name: str) -> tuple[str, dict[str, str]]:
        """See ``sweep.storage.Storage``."""
        return str(self._path(name)), {}

    def try_writing(self) -> None:
        """Raises OSError where no file could be written: the one sure test, as root passes any check of permissions."""
        folder = Path(self.url)
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass

    def _path(self, name: str) -> Path:
        return Path(self.url, checked(name))

    def _files(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Name, bytes and time of writing (s since 1970) of each file; looks no higher than ``prefix`` says."""
        below = os.path.join(self.url, os.path.dirname(prefix))
        for folder, _, files in os.walk(below, onerror=_raise_unless_gone):
            for file in files:
                path = os.path.join(folder, file)
                name = os.path.relpath(path, self.url).replace(os.sep, "/")
                if name.startswith(prefix):
                    try:
                        found = os.stat(path)
                    except FileNotFoundError:
                        continue
                    yield name, found.st_size, found.st_mtime


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
