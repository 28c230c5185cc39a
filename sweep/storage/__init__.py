"""Where a sweep's files lie: a folder (``sweep.storage.local``) or an S3 bucket (``sweep.storage.s3``).

A storage travels to the workers: it can be pickled and holds no secret; credentials come from the environment of each
node. Whatever goes wrong with the disk or the service is an OSError.
"""

from __future__ import annotations

from typing import Protocol

from sweep.storage.local import LocalStorage
from sweep.storage.names import is_remote
from workers.schema import ScenarioError


class Storage(Protocol):
    """Files by name: relative paths with ``/``, checked by ``sweep.storage.names``."""

    @property
    def url(self) -> str:
        """An absolute path, or s3://bucket/prefix."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """The whole file or none of it; replaces one of that name. Raises OSError."""
        ...

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is none, OSError where it cannot be read."""
        ...

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        """(name, size in bytes) of each file whose name begins with ``prefix``, sorted. Raises OSError."""
        ...

    def delete(self, name: str) -> None:
        """Nothing happens where there is none. Raises OSError."""
        ...

    def clear_parts(self) -> None:
        """Removes what writers that were killed left half-written. Raises OSError."""
        ...

    def polars(self, name: str) -> tuple[str, dict[str, str]]:
        """Path or URL, and ``storage_options``, for pl.scan_parquet and sink_parquet (with ``glob=False``)."""
        ...


def open_storage(url: str, key: str = "output") -> Storage:
    """The storage at a path or at s3://bucket/prefix, which need not exist yet; writes nothing that stays.

    ``key``: the configuration key that said so. Raises ScenarioError where it cannot be used.
    """
    if not url:
        raise ScenarioError(f"{key}: an empty text was given; allowed are the path of a folder and s3://BUCKET/PREFIX")
    if url.startswith("s3://"):
        from sweep.storage.s3 import open_s3  # so that paths never import boto3

        return open_s3(url, key)
    if is_remote(url):
        raise ScenarioError(f"{key}: {url!r} was given; allowed are the path of a folder and s3://BUCKET/PREFIX")
    storage = LocalStorage.at(url)
    try:
        storage.try_writing()
    except OSError as error:
        raise ScenarioError(f"{key}: {storage.url} cannot be written ({error.strerror})") from None
    return storage


def open_to_read(url: str) -> Storage:
    """As ``open_storage``, but a path is taken as such: reading must not need a folder that can be written."""
    return LocalStorage.at(url) if url and not is_remote(url) else open_storage(url, "DIR")
