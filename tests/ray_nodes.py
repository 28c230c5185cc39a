"""A cluster of several nodes on this machine, each started by ``ray start`` as on machines of their own."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass
class Cluster:
    """Token authentication is on, the head has no CPU and its dashboard is on loopback.

    ``folder``: what nodes share and what they do not; ``lonely``: a folder below it, empty and of its own on node 2.
    """

    folder: Path
    environment: dict[str, str]
    address: str = ""
    dashboard: str = ""
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def lonely(self) -> Path:
        """The folder that node 2 does not share."""
        return self.folder / "lonely"

    def run(self, *command: str, cwd: Path | None = None, **said: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of this environment to its end, with the cluster's token; ``said``: more variables."""
        where = str(BIN / command[0])
        return subprocess.run(
            [where, *command[1:]],
            env=self.environment | said,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A head and two nodes of one CPU, the second one in a mount namespace of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"  # as in an activated environment: ray, python
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    made = Cluster(folder, environment)
    made.lonely.mkdir()
    scratch = Path(tempfile.mkdtemp(prefix="ray-"))  # pytest's own folders are too deep for Ray's sockets
    try:
        said = _start(
            made,
            scratch / "0",
            *("--head", "--port=0", "--num-cpus=0", f"--ray-client-server-port={_free_port()}"),
            *("--include-dashboard=true", "--dashboard-host=127.0.0.1", "--dashboard-port=0"),
        )
        made.address = (scratch / "0" / "ray_current_cluster").read_text().strip()
        made.dashboard = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
        join = (f"--address={made.address}", "--num-cpus=1")
        alone = f'mount -t tmpfs tmpfs {made.lonely} && exec "$@"'
        with ThreadPoolExecutor() as both:
            first = both.submit(_start, made, scratch / "1", *join)
            _start(made, scratch / "2", *join, wrapped=["unshare", "--mount", "sh", "-ec", alone, "sh"])
            first.result()
        yield made
    finally:
        for node in reversed(made.nodes):
            _stop(node)
        shutil.rmtree(scratch, ignore_errors=True)


def _start(made: Cluster, scratch: Path, *options: str, wrapped: list[str] | None = None) -> str:
    """Starts a node, each with a scratch folder of its own as on a machine of its own; what it said.

    On a machine that is very busy Ray may give a node up; then once more.
    """
    log = scratch.with_suffix(".log")
    every = [f"--temp-dir={scratch}", "--object-store-memory=100000000", "--dashboard-agent-listen-port=0"]
    command = [*(wrapped or []), str(BIN / "ray"), "start", *options, *every, "--log-color=false", "--block"]
    for _ in range(2):
        with open(log, "wb") as output:
            node = subprocess.Popen(
                command,
                env=made.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        made.nodes.append(node)
        while node.poll() is None:
            if "block forever" in (said := log.read_text()):  # by then its address file is written
                return said
            time.sleep(0.1)
        _stop(node)
    raise RuntimeError(f"a node did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _stop(node: subprocess.Popen[bytes]) -> None:
    node.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        node.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)  # what it left running
    node.wait()
