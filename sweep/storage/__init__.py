"""Where files of a sweep are kept. For now a local folder alone: branch h2-clusters replaces this file."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, Protocol


class Storage(Protocol):
    """A folder or its like. Everything raises OSError for trouble with the disk or the service."""

    url: str

    def write(self, name: str, data: bytes) -> None:
        """Whole or not at all."""

    def read(self, name: str) -> bytes:
        """FileNotFoundError where there is none."""

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        """(name, bytes) of the files whose names begin so, sorted."""

    def delete(self, name: str) -> None:
        """Nothing where there is none."""

    def polars(self, name: str) -> tuple[str, dict[str, Any]]:
        """Path or url, and storage_options, for polars."""


class _Local:
    def __init__(self, url: str) -> None:
        self.url = str(Path(url).absolute())

    def write(self, name: str, data: bytes) -> None:
        path = Path(self.url, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            with open(beside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes:
        return Path(self.url, name).read_bytes()

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        files = (path for path in Path(self.url).rglob("*") if path.is_file() and path.suffix != ".part")
        every = ((str(path.relative_to(self.url)), path.stat().st_size) for path in files)
        return sorted((name, size) for name, size in every if name.startswith(prefix))

    def delete(self, name: str) -> None:
        Path(self.url, name).unlink(missing_ok=True)

    def polars(self, name: str) -> tuple[str, dict[str, Any]]:
        return str(Path(self.url, name)), {}


def open_storage(url: str) -> Storage:
    """The storage at a path."""
    return _Local(url)
