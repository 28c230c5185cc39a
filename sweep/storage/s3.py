"""A bucket of S3, or of a service with its protocol, as storage: an object a file, one PUT each, nothing renamed.

Endpoint, region and credentials come from where AWS's tools have them: AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, a profile, a role. Needs the extra ``s3``.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sweep.storage.names import checked, checked_prefix
from workers.schema import ScenarioError

URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\w.=/-]*))?", re.ASCII)


@dataclass(frozen=True)
class S3Storage:
    """Objects of ``bucket`` whose keys begin with ``prefix`` and ``/``; see ``sweep.storage.Storage``."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """s3://bucket/prefix"""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def write(self, name: str, data: bytes) -> None:
        """One PUT: S3 shows an object when all of it is there."""
        with self._errors(name):
            _client().put_object(Bucket=self.bucket, Key=self._key(name), Body=data)

    def read(self, name: str) -> bytes:
        """See ``sweep.storage.Storage``."""
        with self._errors(name):
            return _client().get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read()

    def names(self, prefix: str = "") -> list[tuple[str, int]]:
        """See ``sweep.storage.Storage``."""
        root, prefix = self._root(), checked_prefix(prefix)
        with self._errors(prefix):
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root + prefix)
            return sorted((o["Key"].removeprefix(root), o["Size"]) for page in pages for o in page.get("Contents", ()))

    def delete(self, name: str) -> None:
        """See ``sweep.storage.Storage``."""
        with self._errors(name):
            _client().delete_object(Bucket=self.bucket, Key=self._key(name))

    def clear_parts(self) -> None:
        """S3 has no half-written objects."""

    def polars(self, name: str) -> tuple[str, dict[str, str]]:
        """polars finds the credentials itself; a service that is not AWS's own it has to be told."""
        url, service = f"s3://{self.bucket}/{self._key(name)}", _client().meta
        if service.endpoint_url.endswith(".amazonaws.com"):
            return url, {}
        plain = service.endpoint_url.startswith("http://")
        options = {"aws_endpoint_url": service.endpoint_url, "aws_region": service.region_name or "us-east-1"}
        return url, options | ({"aws_allow_http": "true"} if plain else {})

    def _root(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _key(self, name: str) -> str:
        return self._root() + checked(name)

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """boto3's errors as OSError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            missing = error.response.get("Error", {}).get("Code") == "NoSuchKey"
            kind = FileNotFoundError if missing else OSError
            raise kind(errno.ENOENT if missing else errno.EIO, _sentence(error), f"{self.url}/{name}") from None
        except BotoCoreError as error:
            raise OSError(errno.EIO, _sentence(error), f"{self.url}/{name}") from None


def open_s3(url: str, key: str) -> S3Storage:
    """The storage at ``url``; raises ScenarioError (of configuration key ``key``) where it cannot be listed."""
    matched = URL.fullmatch(url.rstrip("/"))
    prefix = (matched[2] or "") if matched else ""
    if matched is None or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        raise ScenarioError(
            f"{key}: {url!r} was given; allowed is s3://BUCKET/PREFIX of letters, digits, . _ = - and single /"
        )
    if importlib.util.find_spec("boto3") is None:
        raise ScenarioError(f"{key}: {url!r} was given; it needs the extra s3: pip install boto3")
    storage = S3Storage(matched[1], prefix)
    try:
        with storage._errors(""):
            _client().list_objects_v2(Bucket=storage.bucket, Prefix=storage._root(), MaxKeys=1)
    except (OSError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise ScenarioError(f"{key}: {url} cannot be used ({getattr(error, 'strerror', error)})") from None
    return storage


@functools.cache
def _client() -> Any:
    """One for each process: it may be shared by threads, and it holds the credentials."""
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(connect_timeout=10, retries={"mode": "standard", "total_max_attempts": 5}))


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
