"""Do all nodes of a cluster see the same files? Asked at the start: a worker might write results that nobody finds."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

from sweep.storage import Storage
from sweep.storage.local import LocalStorage
from workers.schema import ScenarioError

ANSWER_WITHIN_S = 120
"""A node's first task waits for its code and for a worker process; a file system that hangs never answers."""


def check_shared(storage: Storage) -> None:
    """Each node with CPUs reads what this process wrote to ``storage``, and the other way round; nothing stays.

    Needs a connection to Ray. Raises ScenarioError where this process or a node cannot, with the first such node.
    Nodes that die meanwhile do not matter.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")}
    if not nodes:  # a cluster that grows when there is work
        return
    new = [folder for folder in _folders(storage) if not folder.exists()]
    probe = f"probe-{uuid.uuid4().hex}"
    try:
        storage.write(probe, probe.encode())
    except OSError as error:
        raise ScenarioError(f"store: {storage.url} cannot be written ({error.strerror})") from None
    try:
        # no CPU, so that a busy cluster answers too; each goes to a node that has some, so none to the head
        answer = ray.remote(num_cpus=0, max_retries=0)(_answer)
        asked = {
            answer.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                storage, probe, f"{probe}-{node}"
            ): node
            for node in nodes
        }
        done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_WITHIN_S)
        told = {asked[task]: _told(task, storage, f"{probe}-{asked[task]}") for task in done}
        told |= {asked[task]: f"no answer within {ANSWER_WITHIN_S} s" for task in silent}
        for node, trouble in told.items():
            if trouble:
                raise ScenarioError(
                    f"store: {storage.url} is not shared by all nodes of the cluster: node {node[:8]}"
                    f" at {nodes[node]['NodeManagerAddress']} does not see it ({trouble})"
                )
    finally:
        for name in (probe, *(f"{probe}-{node}" for node in nodes)):
            with contextlib.suppress(OSError):
                storage.delete(name)
        with contextlib.suppress(OSError):  # another sweep may use one by now
            for folder in new:
                folder.rmdir()


def _folders(storage: Storage) -> tuple[Path, ...]:
    """The folder of the storage and those above it; S3 has none."""
    return (Path(storage.url), *Path(storage.url).parents) if isinstance(storage, LocalStorage) else ()


def _answer(storage: Storage, probe: str, name: str) -> str:
    """On the node: why it does not see the file ``probe``; nothing where it does, and then it writes ``name``."""
    try:
        if storage.read(probe) != probe.encode():
            return "it reads something else there"
        storage.write(name, name.encode())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _told(task: Any, storage: Storage, name: str) -> str:
    """Why the node that ran ``task`` does not share the storage; nothing where it does, or where it is gone."""
    import ray

    try:
        return ray.get(task) or ("" if storage.read(name) == name.encode() else "its file reads differently here")
    except FileNotFoundError:
        return "its file is not here"
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.TaskUnschedulableError):
        return ""
    except Exception as error:  # the package or an extra is not installed there, ..
        return " ".join(str(error).split())[-200:]
