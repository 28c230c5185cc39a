"""``ray job submit`` on a cluster of several nodes: the submitted tree runs there, and no model work on the head."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.ray_nodes import Cluster

ROOT = Path(__file__).parents[2]
TELLS = '''

_simulate = simulate


def simulate(scenarios: Columns) -> Columns:
    """Leaves a file that says which node this is, and where the code came from."""
    from pathlib import Path

    import ray

    Path({folder!r}, ray.get_runtime_context().get_node_id()).write_text(__file__)
    return _simulate(scenarios)
'''


@pytest.fixture
def tree(cluster: Cluster, tmp_path: Path) -> Path:
    """A copy of the sources whose model tells where it runs."""
    for part in ("sweep", "workers", "conf"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (cluster.folder / "ran").mkdir()
    with open(tmp_path / "workers" / "task.py", "a") as task:
        task.write(TELLS.format(folder=str(cluster.folder / "ran")))
    return tmp_path


def test_a_submitted_sweep(cluster: Cluster, tree: Path) -> None:
    output, store = cluster.folder / "submitted", cluster.folder / "store"
    submit = ("ray", "job", "submit", f"--address={cluster.dashboard}", f"--working-dir={tree}", "--log-color=false")
    sweep = ("python", "-m", "sweep", "+grid=smoke", f"output={output}", f"store={store}")
    ended = cluster.run(*submit, "--", *sweep)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert pl.read_parquet(output / "results.parquet")["status"].to_list() == ["ok"] * 12
    listed = cluster.run("ray", "list", "nodes", "--format=json", f"--address={cluster.dashboard}")
    workers = {node["node_id"] for node in json.loads(listed.stdout) if not node["is_head_node"]}
    assert len(workers) == 2
    ran = {path.name: path.read_text() for path in (cluster.folder / "ran").iterdir()}
    assert ran
    assert ran.keys() <= workers
    assert all("working_dir_files" in source for source in ran.values())
