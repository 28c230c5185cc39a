"""Joins or starts Ray, and leaves or stops it; what runs there is in ``sweep.execution.ray_tasks``.

Ray's token authentication stays on throughout.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from sweep import THREADS
from sweep.config import LOCAL_ADDRESSES, ClusterConfig
from sweep.execution.ray_tasks import execute
from sweep.execution.task import Execute, Simulate
from sweep.storage import Storage
from sweep.storage.shared import check_shared
from workers.schema import ScenarioError

OBJECT_STORE_BYTES = 256 << 20  # tasks carry scenarios only: far less than the share of memory Ray would take


ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",  # whoever reaches a Ray without it may run anything there
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # without it each task of no GPU warns
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of tasks in flight when the sweep stops: it has told why
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # pages of raylet state for a lost worker, on stdout, past log_to_driver
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # it aborts at SIGTERM, before Python hears of it
    # nobody reads them, and a thread that sends them every ten seconds calls getenv(): where Python changes the
    # environment meanwhile, which a driver inside another program may, the process is gone
    "RAY_enable_metrics_collection": "0",
}


@contextlib.contextmanager
def on_ray(cluster: ClusterConfig, simulate: Simulate, shared: Storage | None = None) -> Iterator[tuple[Execute, int]]:
    """Starts or joins Ray, and leaves or stops it at the end; gives ``execute`` and the number of CPUs.

    Where this process has Ray already, it is used and left alone. RAY_ADDRESS decides where ``cluster.address`` does
    not. ``shared``: the storage that all nodes of a cluster have to see. Raises ScenarioError where they do not, or
    where Ray cannot be used.
    """
    os.environ.update(ENVIRONMENT)
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    _check(cluster, address)
    if address == "local":
        _own_token()
    import ray

    joined = ray.is_initialized()
    try:
        if not joined:
            _start(cluster, address)
        if shared is not None and address != "local":
            check_shared(shared)
        yield lambda tasks: execute(tasks, simulate, lambda: _cpus(cluster)), _cpus(cluster)
    finally:
        if not joined:
            with _undisturbed():
                ray.shutdown()


def _start(cluster: ClusterConfig, address: str) -> None:
    """ray.init, quiet, and whole: interrupted half-way it would leave processes behind."""
    import ray

    options: dict[str, Any] = {"configure_logging": True, "logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":  # its processes inherit THREADS from this one
        options |= {"num_cpus": cluster.cpus, "include_dashboard": cluster.dashboard}
        options |= {"dashboard_host": "127.0.0.1", "object_store_memory": OBJECT_STORE_BYTES}
    else:
        options |= {"runtime_env": {"env_vars": THREADS}}
    no_handler = mock.patch("ray._private.utils.set_sigterm_handler")  # Ray's own exits with 15
    try:
        with _undisturbed(), no_handler, _silent():
            ray.init(address=address, **options)
    except Exception as error:  # Ray raises whatever it likes here
        reason = " ".join(str(error).split())[:300]
        token = "" if address == "local" else "; its token is needed, in RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
        raise ScenarioError(f"cluster.address: no Ray could be used at {address!r} ({reason}){token}") from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches stderr: Ray's C++ writes there past Python's logging, a line a second for a wrong token."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts Ctrl-C and SIGTERM off to the end of the block."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {n: signal.signal(n, lambda number, frame: came.append(number)) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _check(cluster: ClusterConfig, address: str) -> None:
    """Refuses, in a sentence and at once, what Ray would answer with pages of log or after minutes."""
    cluster.check(address)
    if cluster.dashboard and address == "local" and importlib.util.find_spec("aiohttp") is None:
        raise ScenarioError(
            "cluster.dashboard: true was given; it needs the extra dashboard: pip install 'ray[default]'"
        )
    if address in LOCAL_ADDRESSES:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ScenarioError(f"cluster.address: nothing answers at {address!r} ({error})") from None


def _own_token() -> None:
    """A token for a Ray of our own, which only its processes get to know.

    In the environment, because the default place is a file in HOME, which may be read-only.
    """
    if not (os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _cpus(cluster: ClusterConfig) -> int:
    """CPUs to use, as many as there are now: nodes come and go."""
    import ray

    there = max(1, int(ray.cluster_resources().get("CPU", 1)))
    return min(there, cluster.cpus or there)
