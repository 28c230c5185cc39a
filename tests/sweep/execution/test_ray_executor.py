"""Joining and starting Ray: tokens are on, and an address without a Ray is refused at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.config import ClusterConfig
from sweep.execution.ray_executor import on_ray
from tests.sweep.standin import DIES, simulate
from workers.schema import ScenarioError

ROOT = Path(__file__).parents[3]


@pytest.mark.usefixtures("ray_of_two")
def test_tokens_are_on(tmp_path: Path) -> None:
    import ray

    assert os.environ["RAY_AUTH_MODE"] == "token"
    address = ray.get_runtime_context().gcs_address
    look = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
    stranger = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_NUM_REDIS_GET_RETRIES": "1",
    }
    refused = subprocess.run([sys.executable, "-c", look], env=stranger, capture_output=True, text=True, timeout=120)
    assert refused.returncode != 0
    assert "InvalidAuthToken" in refused.stderr
    sweep = [sys.executable, "-m", "sweep", "+grid=smoke", "report=false", f"cluster.address={address}"]
    sweep += [f"output={tmp_path / 'out'}", f"store={tmp_path / 'store'}"]
    refused = subprocess.run(sweep, env=stranger, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "RAY_AUTH_TOKEN" in refused.stderr


@pytest.mark.usefixtures("ray_of_two")
def test_a_ray_of_our_own_has_no_dashboard() -> None:
    import ray

    assert not ray._private.worker.get_dashboard_url()


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (ClusterConfig(address="127.0.0.1:1"), "nothing answers at '127.0.0.1:1'"),
        (ClusterConfig(address="http://head:8265"), "allowed are local, auto and HOST:PORT"),
        (ClusterConfig(address="head"), "allowed are local, auto and HOST:PORT"),
    ],
)
def test_an_address_without_ray(cluster: ClusterConfig, told: str) -> None:
    with pytest.raises(ScenarioError) as refusal, on_ray(cluster, simulate):
        pass
    assert told in str(refusal.value)


def test_ray_address_decides_where_the_configuration_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")
    with pytest.raises(ScenarioError, match="nothing answers"), on_ray(ClusterConfig(), simulate):
        pass
    with (
        pytest.raises(ScenarioError, match=":3"),
        on_ray(ClusterConfig(address="127.0.0.1:3"), simulate),
    ):
        pass


def test_of_a_worker_that_dies_the_terminal_hears_from_the_sweep_alone(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        f"id,cpus,unmap_burst,burst_period_us,in_flight,seed\na,8,4,1000,16,0\ndie,9,4,1000,16,{DIES}\n"
    )
    code = "import sys, sweep.run, sweep.cli\nfrom tests.sweep.standin import simulate\n"
    code += "sweep.run.run.__defaults__ = (simulate,)\nsys.exit(sweep.cli.main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "points=p.csv", "output=out", "report=false", "quiet=true", "cluster.cpus=2"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "results: out\n")
    assert done.stderr.startswith("failed: die (row 2): WorkerDied: ")
    assert done.stderr.count("\n") == 2
