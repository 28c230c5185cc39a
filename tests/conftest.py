"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("farm", deadline=None)  # machines differ in speed, answers do not
settings.load_profile("farm")


@pytest.fixture(scope="session")
def ray_of_two() -> Iterator[None]:
    """One Ray of two CPUs for all tests that need one, started as the farm starts its own."""
    from sweep.config import ClusterConfig
    from sweep.ray_executor import on_ray
    from workers.task import simulate

    with on_ray(ClusterConfig(address="local", cpus=2), simulate):
        yield
