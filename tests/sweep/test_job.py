"""``ray job submit`` on a cluster of several nodes: the submitted tree runs there, and no model work on the head."""

from __future__ import annotations

import json
import re
import shlex
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


UPLOADED = {"sweep", "workers", "conf", ".gitignore", ".rayignore"}


@pytest.fixture
def tree(cluster: Cluster, tmp_path: Path) -> Path:
    """A copy of the sources whose model tells where it runs, beside what is not to be uploaded."""
    for part in ("sweep", "workers", "conf"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", ".rayignore"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in (".venv", ".git", "results", "tests", "docs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "large").write_bytes(bytes(1 << 20))
    (cluster.folder / "ran").mkdir()
    with open(tmp_path / "workers" / "task.py", "a") as task:
        task.write(TELLS.format(folder=str(cluster.folder / "ran")))
    return tmp_path


def submit(cluster: Cluster) -> list[str]:
    """The command of docs/clusters.md, for a small grid and this cluster."""
    (told,) = re.findall(r"ray job submit .*", (ROOT / "docs" / "clusters.md").read_text())
    for there, here in (("http://127.0.0.1:8265", cluster.dashboard), ("large", "smoke"), ("/shared", cluster.folder)):
        assert there in told
        told = told.replace(there, str(here))
    return shlex.split(told)


def test_a_submitted_sweep(cluster: Cluster, tree: Path) -> None:
    ended = cluster.run(*submit(cluster), cwd=tree)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert pl.read_parquet(cluster.folder / "smoke" / "results.parquet")["status"].to_list() == ["ok"] * 12
    assert [*(cluster.folder / "store").rglob("*.parquet")]
    listed = cluster.run("ray", "list", "nodes", "--format=json", f"--address={cluster.dashboard}")
    workers = {node["node_id"] for node in json.loads(listed.stdout) if not node["is_head_node"]}
    assert len(workers) == 2
    ran = {path.name: Path(path.read_text()) for path in (cluster.folder / "ran").iterdir()}
    assert ran
    assert ran.keys() <= workers
    for task in ran.values():
        assert task.parents[2].name == "working_dir_files"
        assert {path.name for path in task.parents[1].iterdir()} == UPLOADED
