"""A storage that a node does not share is refused at the start; with a node that really does not see it."""

from __future__ import annotations

from tests.ray_nodes import Cluster


def test_a_store_that_one_node_does_not_see(cluster: Cluster) -> None:
    store, output = cluster.lonely / "new" / "store", cluster.folder / "refused"
    sweep = ("python", "-m", "sweep", "+grid=smoke", f"store={store}", f"output={output}")
    ended = cluster.run(*sweep, RAY_ADDRESS=cluster.address, RAY_AUTH_MODE="disabled")  # which it does not heed
    assert ended.returncode == 2
    (told,) = ended.stderr.splitlines()
    assert told.startswith(f"sweep: store: {store} is not shared by all nodes of the cluster: node ")
    assert told.endswith(" does not see it (No such file or directory)")
    assert ended.stdout == ""
    assert list(cluster.lonely.iterdir()) == []
    assert not output.exists()
