"""An S3 service on this machine for tests: moto's, on loopback, with a record of what was asked of it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from sweep.storage import s3


@dataclass
class Bucket:
    """A new bucket, and (method, path without the bucket, query) of every request about it, in order."""

    name: str
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """s3://bucket"""
        return f"s3://{self.name}"

    def keys(self, method: str) -> list[str]:
        """The objects that ``method`` was said about, in order."""
        return [path for said, path, _ in self.requests if said == method and path]


@contextlib.contextmanager
def bucket() -> Iterator[Bucket]:
    """A service with one empty bucket; the environment names it, with credentials of no meaning."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    made = Bucket(f"bucket-{uuid.uuid4().hex[:12]}")
    answer = DomainDispatcherApplication(create_backend_app)

    def recorded(environ: dict[str, Any], start: Any) -> Any:
        first, _, path = environ["PATH_INFO"].lstrip("/").partition("/")
        if first == made.name:
            said = "COPY" if "HTTP_X_AMZ_COPY_SOURCE" in environ else environ["REQUEST_METHOD"]
            made.requests.append((said, path, environ["QUERY_STRING"]))
        return answer(environ, start)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = make_server("127.0.0.1", 0, recorded, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
            "AWS_ACCESS_KEY_ID": "an-id",
            "AWS_SECRET_ACCESS_KEY": "a-secret-for-tests",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with mock.patch.dict(os.environ, environment):
            s3._client.cache_clear()
            s3._client().create_bucket(Bucket=made.name)
            made.requests.clear()
            yield made
    finally:
        s3._client.cache_clear()
        server.shutdown()
