"""Runs chunks as Ray tasks: on a Ray of the sweep's own, or on a running cluster.

Stateless tasks of one CPU; at most twice as many in flight as there are CPUs; each writes its own
file and returns a small report. Ray's token authentication stays on throughout.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
from collections.abc import Iterable, Iterator
from typing import Any

from sweep import THREADS
from sweep.config import ClusterConfig
from sweep.executor import Execute, Outcome, RunChunk, Task, attempt, failed_row
from workers.schema import ScenarioError

OBJECT_STORE_BYTES = 256 << 20  # tasks carry scenarios only: far less than the share of memory Ray would take


@contextlib.contextmanager
def on_ray(cluster: ClusterConfig, run_chunk: RunChunk) -> Iterator[tuple[Execute, int]]:
    """Starts or joins Ray, and stops its own at the end; gives ``execute`` and the number of CPUs.

    RAY_ADDRESS decides where ``cluster.address`` does not. Raises ScenarioError where no cluster answers.
    """
    address = cluster.address or os.environ.get("RAY_ADDRESS") or "local"
    own = address == "local"
    if own:
        _own_token()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    started: dict[str, Any] = {
        "num_cpus": cluster.cpus,
        "include_dashboard": cluster.dashboard,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    joined: dict[str, Any] = {"runtime_env": {"env_vars": THREADS}}  # Ray's own processes have them from this one
    quiet: dict[str, Any] = {"configure_logging": True, "logging_level": logging.ERROR, "log_to_driver": False}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, **quiet, **(started if own else joined))
    except (ConnectionError, ray.exceptions.RayError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ScenarioError(
            f"cluster.address: {address!r} was given, and no Ray could be used there ({reason})"
        ) from None
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread: Ray has put no handler of its own there
            signal.signal(signal.SIGTERM, handler)
    try:
        cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
        if not own and cluster.cpus is not None:
            cpus = min(cpus, cluster.cpus)
        yield lambda tasks: _execute(tasks, run_chunk, 2 * cpus), cpus
    finally:
        ray.shutdown()


def _own_token() -> None:
    """Token authentication for a Ray of our own, by a token that only its processes get to know.

    In the environment, because the default place is a file in HOME, which may be read-only.
    """
    os.environ["RAY_AUTH_MODE"] = "token"
    if not (os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _execute(tasks: Iterable[Task], run_chunk: RunChunk, window: int) -> Iterator[Outcome]:
    import ray

    # max_retries is for lost workers and nodes; what the model raises comes back as a value and is never retried.
    remote = ray.remote(num_cpus=1, max_retries=3, retry_exceptions=False)(attempt)
    waiting = iter(tasks)
    running: dict[Any, Task] = {}
    while True:
        while len(running) < window and (task := next(waiting, None)) is not None:
            running[remote.remote(task, run_chunk)] = task
        if not running:
            return
        done, _ = ray.wait(list(running), num_returns=1)
        for reference in done:
            yield _outcome(reference, running.pop(reference))


def _outcome(reference: Any, task: Task) -> Outcome:
    """The task's outcome; all its rows as failed where its worker died again and again."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.as_instanceof_cause() from None  # an OSError of the worker's
    except ray.exceptions.RayError as error:
        return Outcome(failed=tuple(failed_row(task, row, error) for row in range(len(task.columns["id"]))))
