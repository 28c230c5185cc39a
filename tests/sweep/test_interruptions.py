"""However a sweep is stopped, the next start ends in the same table, byte for byte, as an undisturbed run.

Real processes, nodes, signals and disks; a stand-in for the model, and chunks of one scenario.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.execution.ray_executor import ENVIRONMENT, _own_token
from tests.sweep.processes import marked

ROOT = Path(__file__).parents[2]
POINTS = 24
GRID = ["+grid=smoke", "grid.seed=[1,2]", "output=out", "store=store", "report=false"]
SLOWLY = """
import functools, runpy
import sweep.execution.chunks, sweep.run
from tests.sweep.standin import simulate_slowly
sweep.execution.chunks.FEWEST_ROWS, sweep.execution.chunks.TARGET_S, sweep.execution.chunks.ALONE_S = 1, 1e-9, 1e-9
sweep.run.run = functools.partial(sweep.run.run, simulate=simulate_slowly)
runpy.run_module("sweep", run_name="__main__", alter_sys=False)
"""
"""``python -m sweep`` with the stand-in in place of the model: a chunk a scenario, a fifth of a second each."""

AT_ONCE = {"FARM_TEST_PAUSE_S": "0"}
"""Without that fifth of a second, where nothing has to happen meanwhile."""


def start(folder: Path, *argv: str, **environment: str) -> subprocess.Popen[str]:
    """A sweep of GRID in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *GRID, *argv],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": ""} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(true: Callable[[], Any], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def chunks(folder: Path) -> int:
    return len(list((folder / "store").rglob("*.parquet")))


def reused(said: str) -> int:
    """How many points a sweep said that it re-used."""
    line = next(line for line in said.splitlines() if "re-used" in line)
    return int(line.split()[0])


def finish(folder: Path, *argv: str) -> str:
    """Starts the sweep (again) and waits for its good end; what it said."""
    process = start(folder, *argv, **AT_ONCE)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """results.parquet of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert reused(finish(folder, "executor=inline")) == 0
    return (folder / "out" / "results.parquet").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_a_driver_with_a_ray_of_its_own(number: signal.Signals, tmp_path: Path, table: bytes) -> None:
    mark = uuid.uuid4().hex
    # for a minute, by default, an agent that outlives its raylet may look for the one that is gone, too
    process = start(tmp_path, "cluster.cpus=2", FARM_TEST=mark, RAY_gcs_rpc_server_reconnect_timeout_s="5")
    wait_for(lambda: chunks(tmp_path) >= 5)
    assert any("raylet" in command for command in marked(mark))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), said
    wait_for(lambda: not marked(mark))
    done = chunks(tmp_path)
    assert 0 < done < POINTS
    assert done <= reused(finish(tmp_path, "executor=inline")) < POINTS
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


@pytest.mark.parametrize("ahead", [5, 0])
def test_two_at_once_into_one_folder(ahead: int, tmp_path: Path, table: bytes) -> None:
    first = start(tmp_path, "executor=inline")
    wait_for(lambda: chunks(tmp_path) >= ahead)
    if ahead:
        first.send_signal(signal.SIGSTOP)  # on a busy machine it would be done before the second one looks
    second = start(tmp_path, "executor=inline")
    if ahead:
        second.wait(timeout=120)
        first.send_signal(signal.SIGCONT)
    said = {process.pid: process.communicate(timeout=120)[1] for process in (first, second)}
    (won, lost) = sorted((first, second), key=lambda process: process.returncode)
    assert (won.returncode, lost.returncode) == (0, 2), said
    told = said[lost.pid].splitlines()[-1]
    assert told.startswith(f"sweep: output: another sweep is writing {tmp_path / 'out'}: process {won.pid} on ")
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


@pytest.fixture(scope="module")
def dying() -> Iterator[Any]:
    """A cluster's head without CPUs, for nodes that come and go, each a raylet of its own on this machine.

    With the token that other tests of this process use: Ray reads it once.
    """
    os.environ.update(ENVIRONMENT)
    _own_token()
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
        # so that a dead node is noticed after two seconds, not after fifteen
        head["_system_config"] = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def nodes(dying: Any) -> Iterator[list[Any]]:
    """Two nodes of a CPU each; those that are left at the end go."""
    nodes = [add_node(dying) for _ in range(2)]
    yield nodes
    for node in list(dying.worker_nodes):
        dying.remove_node(node, allow_graceful=False)


def completes(process: Any, tmp_path: Path, table: bytes) -> None:
    """The sweep ends well, with the table of an undisturbed one."""
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


def test_a_worker_dies(dying: Any, nodes: list[Any], tmp_path: Path, table: bytes) -> None:
    process = start(tmp_path, f"cluster.address={dying.address}")
    wait_for(lambda: chunks(tmp_path) >= 4)
    busy: list[int] = []
    wait_for(lambda: busy or busy.extend(workers(nodes)))  # between two tasks there is none
    os.kill(busy[0], signal.SIGKILL)
    completes(process, tmp_path, table)


def test_a_node_dies_and_another_one_comes(dying: Any, nodes: list[Any], tmp_path: Path, table: bytes) -> None:
    process = start(tmp_path, f"cluster.address={dying.address}")
    wait_for(lambda: chunks(tmp_path) >= 4)
    for node in nodes:
        node.kill_raylet()
    time.sleep(2)
    assert process.poll() is None
    add_node(dying)
    completes(process, tmp_path, table)


def test_the_driver_is_killed(dying: Any, nodes: list[Any], tmp_path: Path, table: bytes) -> None:
    process = start(tmp_path, f"cluster.address={dying.address}")
    wait_for(lambda: chunks(tmp_path) >= 4)
    process.kill()
    process.communicate()
    wait_for(lambda: not workers(nodes))
    done = chunks(tmp_path)
    assert 0 < done < POINTS
    assert done <= reused(finish(tmp_path, f"cluster.address={dying.address}")) < POINTS
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


def add_node(dying: Any) -> Any:
    return dying.add_node(num_cpus=1, object_store_memory=80 << 20)


def workers(nodes: list[Any]) -> list[int]:
    """Processes that run a task, children of these nodes' raylets."""
    raylets = {info.process.pid for node in nodes for info in node.all_processes.get("raylet", [])}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (process / "cmdline").read_bytes().startswith(b"ray::run_task"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def in_mounts_of_its_own(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell script in a mount namespace of its own; ``$SWEEP`` starts the sweep."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs root and mount namespaces")
    (folder / "slowly.py").write_text(SLOWLY)
    sweep = f"{sys.executable} slowly.py {' '.join(GRID)} executor=inline"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SWEEP": sweep}
    argv = ["unshare", "-m", "sh", "-uc", f"mount --make-rprivate /\n{script}"]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)


def test_a_disk_that_is_full(tmp_path: Path, table: bytes) -> None:
    script = """
        export FARM_TEST_PAUSE_S=0
        mkdir disk store && mount -t tmpfs -o size=80k none disk
        mkdir disk/store && mount --bind disk/store store
        $SWEEP; echo "exit $?"
        find store -name '*.part' | wc -l
        mount -o remount,size=64m disk
        $SWEEP >/dev/null; echo "exit $?"
    """
    done = in_mounts_of_its_own(script, tmp_path)
    assert done.stdout.splitlines() == ["exit 2", "0", "exit 0"], done
    assert f"sweep: store: {tmp_path / 'store'} cannot be written (No space left on device)" in done.stderr
    assert 0 < reused(done.stderr.partition("No space left")[2]) < POINTS
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


def test_a_disk_that_is_full_when_the_table_is_written(tmp_path: Path, table: bytes) -> None:
    """The results', then that of temporary files."""
    script = """
        export FARM_TEST_PAUSE_S=0
        mkdir out small && mount -t tmpfs -o size=20k none out && mount -t tmpfs -o size=4k none small
        $SWEEP; echo "exit $?"
        find out -name '*.parquet*' | wc -l
        mount -o remount,size=64m out
        TMPDIR=$PWD/small $SWEEP; echo "exit $?"
        $SWEEP >/dev/null; echo "exit $?"
        cp -r out kept
    """
    done = in_mounts_of_its_own(script, tmp_path)
    assert done.stdout.splitlines() == ["exit 2", "0", "exit 2", "exit 0"], done
    first, second = (line for line in done.stderr.splitlines() if "cannot be written" in line)
    assert first == f"sweep: output: {tmp_path / 'out'} cannot be written (No space left on device)"
    assert second.startswith(f"sweep: TMPDIR: {tmp_path / 'small'}/")
    assert second.endswith(".parquet cannot be written (No space left on device)")
    assert (tmp_path / "kept" / "results.parquet").read_bytes() == table


def test_a_disk_that_turns_read_only(tmp_path: Path, table: bytes) -> None:
    script = """
        mkdir -p disk/store store && mount --bind disk/store store
        $SWEEP & until [ "$(find store -name '*.parquet' | wc -l)" -ge 3 ]; do sleep 0.05; done
        until mount -o remount,ro,bind store; do sleep 0.02; done 2>/dev/null
        wait $!; echo "exit $?"
        $SWEEP; echo "exit $?"
        mount -o remount,rw,bind store
        FARM_TEST_PAUSE_S=0 $SWEEP >/dev/null; echo "exit $?"
    """
    done = in_mounts_of_its_own(script, tmp_path)
    assert done.stdout.splitlines() == ["exit 2", "exit 2", "exit 0"], done
    assert done.stderr.count(f"sweep: store: {tmp_path / 'store'} cannot be written (Read-only file system)") == 2
    assert 0 < reused(done.stderr.rpartition("Read-only")[2]) < POINTS
    assert (tmp_path / "out" / "results.parquet").read_bytes() == table


def test_damaged_chunks_run_again_and_are_named(tmp_path: Path, table: bytes) -> None:
    finish(tmp_path, "executor=inline")
    (whole,) = (tmp_path / "store").rglob("*.parquet")
    data = whole.read_bytes()
    for damaged in (data[:-10], data[:100] + bytes([data[100] ^ 1]) + data[101:], b""):
        whole.write_bytes(damaged)
        shutil.rmtree(tmp_path / "out")
        said = finish(tmp_path, "executor=inline")
        assert f"store: {whole.relative_to(tmp_path / 'store')} was damaged and is deleted" in said
        assert reused(said) == 0
        assert (tmp_path / "out" / "results.parquet").read_bytes() == table
