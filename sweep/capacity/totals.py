"""What a fleet's host classes add up to: machines by verdict, memory, lockups to expect in a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.capacity.fleet import HostClass
from sweep.capacity.study import Findings, Line

HAZARD = "soft_lockup_hazard_per_hour"
BOUNDS = ("soft_lockup_hazard_low_per_hour", "soft_lockup_hazard_high_per_hour")


@dataclass(frozen=True)
class Expectation:
    """A number with its interval."""

    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Expectation) -> Expectation:
        """Bounds add up as if all erred the same way, which is the widest that they can."""
        return Expectation(self.expected + other.expected, self.low + other.low, self.high + other.high)


def lockups_per_year(host: HostClass, line: Line) -> Expectation | None:
    """Soft lockups a year that all machines of the class may expect: machines x domains x hours x those an hour; None
    where the run failed.

    The figure per hour is the model's, extrapolated from the seconds that it ran. A machine that locked up is taken to
    be under the same load again at once.
    """
    if line.safe is None:
        return None
    hours = host.count * host.scenario["domains"] * host.load_hours_per_year
    return Expectation(*(hours * line.row[name] for name in (HAZARD, *BOUNDS)))


@dataclass(frozen=True)
class Totals:
    """Of the fleet on one side of the fix: machines that do not lock up, that do, whose run failed; lockups a year, and
    how many machines expect one an hour and more; memory of all machines at its peak, in bytes. What a failed run would
    have said is in no sum, and where all failed there is none."""

    safe: int
    locked: int
    failed: int
    lockups_per_year: Expectation | None
    hourly: int
    memory_peak_bytes: int | None


def totals(findings: Sequence[Findings], after: bool) -> Totals:
    """Sums over the host classes: as they are, or with the fix."""
    sides = [(found.host, found.after if after else found.now) for found in findings]
    machines: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    for host, line in sides:
        machines[line.safe] += host.count
    known = [(host, line) for host, line in sides if line.safe is not None]
    lockups = [found for host, line in known if (found := lockups_per_year(host, line))]
    return Totals(
        machines[True],
        machines[False],
        machines[None],
        sum(lockups, Expectation()) if lockups else None,
        sum(host.count for host, line in known if host.scenario["domains"] * line.row[HAZARD] >= 1.0),
        sum(host.count * line.row["memory_peak_bytes"] for host, line in known) if known else None,
    )
