"""Asks the model everything that a fleet's report says, in few wide batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from sweep.capacity.costs import CostAnswer, Question
from sweep.capacity.fleet import HostClass
from sweep.capacity.kernels import fixed_policy
from sweep.capacity.remedies.remedy import Answer as RemedyAnswer
from sweep.capacity.remedies.remedy import Changes, Remedy
from sweep.capacity.scenarios import at_rate, changed, ladder
from sweep.capacity.search import Headroom, HeadroomSearch
from sweep.lab import Row, Scenario
from sweep.report.answers.loads import SHORT
from sweep.store.chunk import FAILED
from workers.schema import LOCKED

Run = Callable[[Sequence[Scenario]], Sequence[Row]]
"""A batch of scenarios to rows of scenario and result columns, ``status`` and ``error``, in order."""

NOW = "now"
SIDES = ("before", "after")
"""The kernel as it is, and the one with the fix."""


@dataclass(frozen=True)
class Line:
    """What was found of one host class under one remedy, or as it is: the row at its rate, and the headroom."""

    row: Row
    headroom: Headroom

    @property
    def verdict(self) -> str:
        """ok, chained, soft_lockup or failed."""
        return verdict_of(self.row)

    @property
    def safe(self) -> bool | None:
        """Whether it does not lock up; None where the run failed."""
        return is_safe(self.verdict)

    @property
    def checked(self) -> bool | None:
        """Whether the load at its rate is where the model agreed with the reference machine (workers.checked); None
        where the run failed."""
        return self.row["checked"]

    @property
    def achieved_rate_per_s(self) -> float | None:
        """Unmaps/s of an active CPU that came about: half of the operations; None where the run failed."""
        ops = self.row["ops_completed"]
        return None if ops is None else ops / 2 / self.row["horizon_s"] / self.row["active_cpus"]


@dataclass(frozen=True)
class Findings:
    """Of one host class: as it is, under each remedy that the model ran, what others answered, and what costs do.

    ``remedies``: name -> line; ``answers``: name -> what the remedy answered; ``costs``: side -> answer; ``short``: how
    many of all its runs count as safe because they ended too early to show a lockup.
    """

    host: HostClass
    now: Line
    remedies: Mapping[str, Line]
    answers: Mapping[str, RemedyAnswer]
    costs: Mapping[str, CostAnswer]
    short: int = 0

    @property
    def after(self) -> Line:
        """With the fix; as it is where that has it."""
        return self.remedies.get("patch", self.now)


def verdict_of(row: Row) -> str:
    """The verdict of a row, ``failed`` where it has none."""
    return row["verdict"] or FAILED


def is_safe(verdict: str) -> bool | None:
    """Chained callbacks come to an end, so they count as safe; of a run that failed nothing is known."""
    return None if verdict == FAILED else verdict != LOCKED


def _are_short(rows: Sequence[Row]) -> list[bool]:
    """Of each row, whether it is SHORT, as a sweep's closing table says it; a run that failed is not."""
    names = SHORT.meta.root_names()
    asked = pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)
    return asked.select(SHORT.fill_null(False)).to_series().to_list()


class Study:
    """The questions about some host classes. ``costs``: the tables low, typical and high of conf/host."""

    def __init__(
        self, hosts: Sequence[HostClass], remedies: Sequence[Remedy], costs: Mapping[str, Mapping[str, float]]
    ) -> None:
        self.hosts = hosts
        self.answers = [{remedy.name: remedy.answer(host) for remedy in remedies} for host in hosts]
        self.lines: list[tuple[int, str, Scenario]] = list(self._lines())
        self.search = HeadroomSearch([ladder(scenario) for _, _, scenario in self.lines])
        self.questions = {(number, side): Question(costs) for number in range(len(hosts)) for side in SIDES}
        self.asked: list[Scenario] = []
        self.rows: list[Row] = []
        self._asked: list[tuple[int, int]] = []
        self._costs: list[tuple[tuple[int, str], str, Mapping[str, float]]] = []
        self._at_rate: dict[int, Row] = {}
        self._short = [0] * len(hosts)

    def ask(self) -> list[Scenario]:
        """The next batch; nothing at the end."""
        self._asked = self.search.ask()
        scaled = [at_rate(self.lines[line][2], step) for line, step in self._asked]
        self._costs = [(key, label, costs) for key, of in self.questions.items() for label, costs in of.ask().items()]
        batch = [*scaled, *(self._with_costs(key, label, costs) for key, label, costs in self._costs)]
        self.asked += batch
        return batch

    def tell(self, rows: Sequence[Row]) -> None:
        """The rows of what was asked last, in its order."""
        self.rows += rows
        for host, short in zip(self._hosts_asked(), _are_short(rows), strict=True):
            self._short[host] += short
        scaled, costly = rows[: len(self._asked)], rows[len(self._asked) :]
        for (line, step), row in zip(self._asked, scaled, strict=True):
            if step == 0:
                self._at_rate[line] = row
        self.search.tell((*at, is_safe(verdict_of(row))) for at, row in zip(self._asked, scaled, strict=True))
        for (key, label, _), row in zip(self._costs, costly, strict=True):
            self.questions[key].tell(label, verdict_of(row))

    def findings(self) -> tuple[Findings, ...]:
        """What was found, a host class each."""
        found: list[dict[str, Line]] = [{} for _ in self.hosts]
        for number, (host, name, _) in enumerate(self.lines):
            found[host][name] = Line(self._at_rate[number], self.search.answer(number))
        return tuple(
            Findings(
                host,
                lines.pop(NOW),
                lines,
                self.answers[number],
                {side: self.questions[number, side].answer() for side in SIDES},
                self._short[number],
            )
            for number, (host, lines) in enumerate(zip(self.hosts, found, strict=True))
        )

    def _lines(self) -> Iterator[tuple[int, str, Scenario]]:
        for number, host in enumerate(self.hosts):
            yield number, NOW, changed(host.scenario, NOW, {})
            for name, answer in self.answers[number].items():
                if isinstance(answer, Changes):
                    yield number, name, changed(host.scenario, name, answer.columns)

    def _hosts_asked(self) -> Iterator[int]:
        """The host class of each scenario of the batch."""
        yield from (self.lines[line][0] for line, _ in self._asked)
        yield from (number for (number, _), _, _ in self._costs)

    def _with_costs(self, key: tuple[int, str], label: str, costs: Mapping[str, float]) -> Scenario:
        host, side = self.hosts[key[0]], key[1]
        policy = host.scenario["policy"] if side == SIDES[0] else fixed_policy(host.kernel)
        return changed(host.scenario, f"{side}/{label} costs", {**costs, "policy": policy})


def complete(study: Study, run: Run) -> tuple[Findings, ...]:
    """Runs all of its batches."""
    while batch := study.ask():
        study.tell(run(batch))
    return study.findings()
