"""What an outsider could try: Ray without a token, a dashboard from afar, files that run code, names that climb."""

from __future__ import annotations

import ast
import os
import pickle
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest

from sweep.compose import compose
from sweep.config import ClusterConfig
from sweep.execution.ray_executor import on_ray
from sweep.run import run
from tests.ray_nodes import Cluster
from tests.sweep.standin import simulate
from workers import MODEL_VERSION

ROOT = Path(__file__).parents[1]
CODE_RUNNERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def sources() -> Iterator[Path]:
    for folder in ("sweep", "workers", "conf"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yaml", ".yml"})


def test_token_authentication_is_nowhere_off() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / ".ci" / "run", *(ROOT / "docs").glob("*.md")]
    modes = {str(path): re.findall(r"RAY_AUTH_MODE\W{1,5}(\w+)", path.read_text()) for path in [*sources(), *documents]}
    assert {mode for found in modes.values() for mode in found} == {"token"}, modes
    assert modes[str(ROOT / "sweep" / "execution" / "ray_executor.py")]


def imported(tree: ast.AST) -> set[str]:
    """The modules that a file imports, and the calls that could stand for an import of code."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(f"{node.func.id}()")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.add("allow_pickle")
    return found


def test_nothing_can_unpickle() -> None:
    assert {"pickle", "eval()", "allow_pickle"} <= imported(ast.parse("import pickle; eval(f(allow_pickle=True))"))
    for path in sources():
        if path.suffix == ".py":
            assert not imported(ast.parse(path.read_text())) & {*CODE_RUNNERS, "eval()", "exec()", "allow_pickle"}, path


class Trap:
    """Unpickled, it makes the file ``sprung``."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("sprung"),))


def sweep(*argv: str) -> int:
    composed = compose(["executor=inline", "report=false", *argv])
    assert composed is not None
    return run(composed.config, composed.library, list(argv), simulate)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, deep in one that must stay as it is."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_traps_in_a_results_folder_do_not_spring(here: Path) -> None:
    assert sweep("+grid=smoke", "output=out") == 0
    trap = pickle.dumps(Trap())
    name = blake2b(trap, digest_size=16).hexdigest()
    for path in [*here.rglob("*.parquet"), here / "results" / "store" / MODEL_VERSION / name[:2] / f"{name}.parquet"]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(trap)
    assert sweep("+grid=smoke", "output=out") == 0
    assert pl.read_parquet("out/results.parquet").height == 12
    assert not Path("sprung").exists()
    pickle.loads(trap)
    assert Path("sprung").exists()


HEADER = "id,cpus,unmap_burst,burst_period_us,in_flight,iova_pages,policy\n"
IDS = ["../../../x", "/x", "..", "a/../../b", "c\\d", "~", "$HOME", "\u202e"]


@pytest.mark.parametrize("stem", ["..", "...", "..x", "a b", "-rf", "x\n", "store", "*"])
def test_names_from_input_stay_in_the_results_folder(here: Path, stem: str) -> None:
    points = here / f"{stem}.csv"
    points.write_text(HEADER + "".join(f'"{name}",8,4,1000,{8 + i},1,array\n' for i, name in enumerate(IDS)))
    before = set(here.parents[1].rglob("*"))
    assert sweep(f"points='{points}'") == 0
    made = set(here.parents[1].rglob("*")) - before
    (table,) = (path for path in made if path.name == "results.parquet")
    assert pl.read_parquet(table, glob=False)["id"].to_list() == IDS
    assert all(path.is_relative_to(here / "results") for path in made)
    assert table.parents[2] == here / "results"


def test_a_ray_of_our_own_gets_a_token_and_a_dashboard_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    with (
        mock.patch("ray.init", side_effect=Asked) as init,
        mock.patch("ray.is_initialized", return_value=False),
        mock.patch("ray.shutdown"),
        pytest.raises(Exception, match="no Ray could be used"),
        on_ray(ClusterConfig(address="local", dashboard=True), simulate),
    ):
        pass
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert re.fullmatch("[0-9a-f]{64}", os.environ["RAY_AUTH_TOKEN"])
    assert init.call_args.kwargs["include_dashboard"]
    assert init.call_args.kwargs["dashboard_host"] == "127.0.0.1"


def test_a_cluster_s_dashboard_wants_the_token(cluster: Cluster) -> None:
    jobs = f"{cluster.dashboard}/api/jobs/"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(jobs, timeout=60)
    assert refused.value.code == 401
    token = {"Authorization": f"Bearer {cluster.environment['RAY_AUTH_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(jobs, headers=token), timeout=60) as answered:
        assert answered.status == 200
