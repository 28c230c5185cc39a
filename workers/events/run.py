"""Scenarios in, counters out, one scenario after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers import alike, pace
from workers.events.machine import Machine
from workers.events.tally import Tally, carried_on, columns, tally
from workers.hazard import LASTING_S, seen_until_s
from workers.mixes import sizes_drawn
from workers.phases import uniform_phases
from workers.schema import Columns


def run(scenarios: Columns) -> Columns:
    """The counters of ``workers.results.finish`` for each scenario, shapes (rows,).

    ``scenarios``: scenario and depot columns, shapes (rows,), at least one row. What is alike (``workers.alike``) from
    a depot on that refused no magazine is one run; what keeps its pace (``workers.pace``) is followed no further.
    """
    found: dict[int, Tally] = {}
    for rows in alike.by_capacity(scenarios):
        while rows := [row for row in rows if row not in found]:
            found |= _run_first(scenarios, rows)
    cpus, keeps = scenarios["cpus"].tolist(), scenarios["trim_threshold"].tolist()
    counted = [columns(found[row], cpus[row], keeps[row]) for row in range(len(cpus))]
    return {name: np.array([row[name] for row in counted]) for name in counted[0]}


def _run_first(scenarios: Columns, rows: list[int]) -> dict[int, Tally]:
    """Runs the first of ``rows``, which are alike, from the smallest depot up; the tallies of all it stands for."""
    only = {row: {name: values[row : row + 1] for name, values in scenarios.items()} for row in rows}
    ran = machine(only[rows[0]])
    watch = Watch(ran, {row: limits(scenario) for row, scenario in only.items()})
    ran.run(watch.look)
    if watch.stands_for():
        end = _end(ran)  # beyond the horizon a depot may overflow: the machine then no longer stands for all
        watch.found |= dict.fromkeys(watch.stands_for(), end)
    return watch.found


def _end(ran: Machine) -> Tally:
    """The tally of a machine at its horizon; where a stay may last, the stays are those of some seconds more."""
    end = tally(ran, ran.horizon_ns)
    until_ns = 1e9 * float(seen_until_s(ran.horizon_ns / 1e9))
    if max(end.counted.stay_max_ns, end.stay_ns) < 1e9 * LASTING_S or until_ns <= ran.horizon_ns:
        return end
    ran.go_on(until_ns)
    return end._replace(stays=tally(ran, until_ns).stays)


def machine(scenario: Columns) -> Machine:
    """The machine of one scenario, shapes (1,), ready to run."""
    row: dict[str, Any] = {name: values.tolist()[0] for name, values in scenario.items()}
    active, seed = scenario["active_cpus"].astype(np.int64), scenario["seed"].astype(np.uint64)
    return Machine(row, uniform_phases(seed, active, sizes_drawn(scenario)).tolist())


def limits(scenario: Columns) -> pace.Limits:
    """Of one scenario, shapes (1,), as plain numbers."""
    return pace.Limits(*(values.tolist()[0] for values in pace.limits(scenario)))


class Watch:
    """Looks at a machine that stands for several rows, and takes the tally of each that keeps its pace.
    Once a depot overflowed, the machine stands for the first row alone."""

    def __init__(self, ran: Machine, waiting: dict[int, pace.Limits]) -> None:
        self.ran, self.waiting = ran, waiting
        self.found: dict[int, Tally] = {}
        self.seen: list[Tally] = []
        self.first, limit = next(iter(waiting.items()))
        self.next_ns = limit.earliest_ns / 4.0

    def stands_for(self) -> list[int]:
        """Rows that still wait for this machine."""
        return [row for row in self.waiting if row == self.first or not self.ran.domain.rcaches.overflowed]

    def look(self, now: float) -> float | None:
        """See ``Clocks.go``: nothing is left to do once every row is steady."""
        if now >= self.next_ns:
            self.seen = [*self.seen[-2:], tally(self.ran, now)]
            while self.next_ns <= now:
                self.next_ns *= 2.0
            if len(self.seen) == 3:
                self._settle(*self.seen)
        return self.next_ns if self.stands_for() else None

    def _settle(self, quarter: Tally, half: Tally, now: Tally) -> None:
        stay_ns = max(now.counted.stay_max_ns, now.stay_ns)
        for row in self.stands_for():
            limit = self.waiting[row]
            if pace.keeps(quarter.seen, half.seen, now.seen, limit, stay_ns):
                self.found[row] = carried_on(quarter, half, now, limit.horizon_ns)
                del self.waiting[row]
