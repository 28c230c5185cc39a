"""What all tests share."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.ray_nodes import Cluster
from tests.ray_nodes import cluster as start_cluster

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_enable_metrics_collection": "0"}
"""Ray reads them once a process, when it is imported: so all Rays of the tests' process have to share them. pytest sets
a variable for each test, and Ray's metrics are sent by threads that read the environment: that crashed the process."""

settings.register_profile("farm", deadline=None)  # machines differ in speed, answers do not
settings.load_profile("farm")


@pytest.fixture(autouse=True)
def quiet_root_logger() -> Iterator[None]:
    """Hydra's ``--info`` makes the root logger say everything, on a stream that pytest closes after the test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if type(handler) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture(scope="module")
def ray_of_two() -> Iterator[None]:
    """A Ray of two CPUs, started as the farm starts its own, for the tests of one file: a driver that goes on through
    minutes of other tests has crashed pytest's process."""
    from sweep.config import ClusterConfig
    from sweep.execution.ray_executor import on_ray
    from workers.task import simulate

    with on_ray(ClusterConfig(address="local", cpus=2), simulate):
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of several nodes (``tests.ray_nodes``)."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"]).returncode:
        pytest.skip("a node that does not share a folder needs a mount namespace, which only root may make")
    with start_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started
