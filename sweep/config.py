"""What a sweep's configuration may hold: names, types and defaults, for Hydra and for the rest of the farm.

Plain dataclasses, made from the column schema where they name columns. They are not frozen because
OmegaConf makes a frozen one read-only, so that nothing could be overridden; below ``sweep.compose``
nobody changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any

from workers.schema import COST_COLUMNS, SCENARIO_COLUMNS, ScenarioError

RATE = "unmap_rate_per_s"
"""Nominal unmaps/s of an active CPU: stands for burst_period_us = 1e6 x unmap_burst / rate."""

COST_NAMES = tuple(c.name for c in COST_COLUMNS)
LOAD_NAMES = tuple(c.name for c in SCENARIO_COLUMNS if c.name not in (*COST_NAMES, "id", "policy"))
AXIS_NAMES = ("host", "workload", *LOAD_NAMES, RATE, "policy", *COST_NAMES)
"""What a grid may name, in the order of its axes: the last one changes fastest from row to row."""

_KINDS = {c.name: c.kind for c in SCENARIO_COLUMNS} | {RATE: float}


def _table(name: str, columns: tuple[str, ...]) -> type:
    """A table of one value a column, with the source of each figure beside it."""
    values = [(c, _KINDS[c] | None, field(default=None)) for c in columns]
    return make_dataclass(name, [*values, ("sources", dict[str, Any], field(default_factory=dict))])


if TYPE_CHECKING:

    class _Table:
        """What a type checker needs to know of the classes made below."""

        def __getattr__(self, column: str) -> Any: ...

    class HostConfig(_Table): ...

    class WorkloadConfig(_Table): ...

    class GridConfig(_Table):
        name: str
        points: list[dict[str, Any]]

else:
    HostConfig = _table("HostConfig", COST_NAMES)
    WorkloadConfig = _table("WorkloadConfig", (*LOAD_NAMES, RATE))
    GridConfig = make_dataclass(
        "GridConfig",
        [
            ("name", str, field(default="grid")),
            ("points", list[dict[str, Any]], field(default_factory=list)),
            *((name, Any, field(default=None)) for name in AXIS_NAMES),  # a value, a list or a spec (sweep.plan.axes)
        ],
    )


LOCAL_ADDRESSES = ("local", "auto")
"""A Ray of the sweep's own, and one that runs on this machine."""


@dataclass
class ClusterConfig:
    """Where Ray runs: an address, or None for a Ray of the sweep's own (RAY_ADDRESS decides before that)."""

    address: str | None = None
    cpus: int | None = None
    dashboard: bool = False

    def check(self, address: str) -> None:
        """Raises ScenarioError for what no Ray can be started with or joined at; asks nobody."""
        if self.cpus is not None and self.cpus < 1:
            raise ScenarioError(f"cluster.cpus: {self.cpus} was given; allowed is a whole number from 1")
        host, _, port = address.rpartition(":")
        if address not in LOCAL_ADDRESSES and ("/" in address or not host or not port.isdigit()):
            raise ScenarioError(
                f"cluster.address: {address!r} was given; allowed are local, auto and HOST:PORT of a head node"
            )


@dataclass
class SweepConfig:
    """One sweep."""

    grid: GridConfig = field(default_factory=GridConfig)
    host: HostConfig = field(default_factory=HostConfig)
    workload: WorkloadConfig = field(default_factory=WorkloadConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    points: str | None = None
    output: str | None = None
    store: str | None = None
    executor: str = "ray"
    mode: str = "full"
    report: bool = True
    dry_run: bool = False
    point: str | None = None
    quiet: bool = False
    baseline: str | None = None
    baselines: str = "results/baselines"


@dataclass(frozen=True)
class Library:
    """The named files on the search path: depots, hosts and workloads, each name -> its values."""

    depot: Mapping[str, Mapping[str, Any]]
    host: Mapping[str, Mapping[str, Any]]
    workload: Mapping[str, Mapping[str, Any]]


def given(table: Any) -> dict[str, Any]:
    """The columns that a host or workload table sets."""
    return {name: value for name, value in vars(table).items() if value is not None and name != "sources"}
