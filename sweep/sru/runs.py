"""The runs behind the text: a host's load on 5.15 as it is, with patch 1 alone and with both, and others beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.capacity.fleet import HostClass
from sweep.capacity.scenarios import changed
from sweep.capacity.study import Run
from sweep.lab import Row
from workers.mixes import size_classes
from workers.schema import FQ_ENTRIES, RCACHE_MAX_PAGES

BEFORE, PATCH_1, BOTH = "5.15", "patch 1 alone", "both patches"
POLICIES = {BEFORE: "array", PATCH_1: "list_untrimmed", BOTH: "list"}
"""Kernel as the bug names it -> depot policy."""

IDLE, OVERSIZE = "nearly idle", "oversize"
IDLE_CHANGES = {"active_cpus": 1, "unmap_burst": 1, "burst_period_us": 500_000.0}
"""Two unmaps a second on the whole machine."""

OVERSIZE_CHANGES = {"iova_pages": str(2 * RCACHE_MAX_PAGES)}
"""The same load in IOVAs of 64 pages, which no depot holds."""

SPIKES = {label: f"spike/{label}" for label in POLICIES}
"""All active CPUs unmap a ring's worth at once, each second."""


def spike(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """What a spike changes in a scenario."""
    return {
        "phase": "aligned",
        "unmap_burst": FQ_ENTRIES,
        "in_flight": max(FQ_ENTRIES, scenario["in_flight"]),
        "burst_period_us": 1e6,
    }


@dataclass(frozen=True)
class Measured:
    """A host class and the rows of its runs: its load and a spike under each of POLICIES, and IDLE and OVERSIZE with
    both patches."""

    host: HostClass
    rows: Mapping[str, Row]

    def __getitem__(self, label: str) -> Row:
        """The row of a run; its ``id`` names it in runs.csv."""
        return self.rows[label]


def scenarios(host: HostClass) -> dict[str, dict[str, Any]]:
    """Label -> scenario of every run of a host class."""
    both = {"policy": POLICIES[BOTH]}
    wanted: dict[str, dict[str, Any]] = {label: {"policy": policy} for label, policy in POLICIES.items()}
    wanted |= {SPIKES[label]: {"policy": policy, **spike(host.scenario)} for label, policy in POLICIES.items()}
    wanted |= {IDLE: both | IDLE_CHANGES, OVERSIZE: both | OVERSIZE_CHANGES}
    return {label: changed(host.scenario, label.replace(" ", "-"), changes) for label, changes in wanted.items()}


def measure(hosts: Sequence[HostClass], run: Run) -> tuple[Measured, ...]:
    """Runs everything in one batch."""
    wanted = [scenarios(host) for host in hosts]
    rows = iter(run([scenario for one in wanted for scenario in one.values()]))
    return tuple(Measured(host, {label: next(rows) for label in one}) for host, one in zip(hosts, wanted, strict=True))


def bins(iova_pages: str) -> int:
    """How many of the six size bins the sizes use: powers of two up to 32 pages."""
    return sum(pages <= RCACHE_MAX_PAGES for pages, _ in size_classes(iova_pages))
