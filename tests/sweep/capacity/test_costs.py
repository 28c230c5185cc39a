"""Which costs a verdict hangs on: planted in one, in a group, in several, nowhere."""

from __future__ import annotations

from collections.abc import Callable

from sweep.capacity.costs import DEPENDS, GROUPS, LOCKS, SAFE, TABLES, UNKNOWN, CostAnswer, Costs, Question
from tests.sweep.capacity.standin import LIBRARY
from workers.schema import COST_COLUMNS

NAMED = {name: LIBRARY.host[name] for name in TABLES}


def asked(verdict: Callable[[Costs], str]) -> tuple[CostAnswer, int]:
    """The answer for a load of these verdicts, and the rounds it took."""
    question, rounds = Question(NAMED), 0
    while wanted := question.ask():
        rounds += 1
        for label, costs in wanted.items():
            question.tell(label, verdict(costs))
    return question.answer(), rounds


def locks(condition: bool) -> str:
    return "soft_lockup" if condition else "ok"


def test_safe_at_all_costs_and_locked_at_all() -> None:
    assert asked(lambda costs: "chained") == (CostAnswer(SAFE, dict.fromkeys(TABLES, "chained")), 1)
    assert asked(lambda costs: "soft_lockup") == (CostAnswer(LOCKS, dict.fromkeys(TABLES, "soft_lockup")), 1)


def test_one_cost_flips_it() -> None:
    answer, rounds = asked(lambda costs: locks(costs["rb_visit_ns"] > 100))
    assert rounds == 2
    assert (answer.kind, answer.between) == (DEPENDS, ("typical", "high"))
    assert (answer.costs, answer.groups) == (("rb_visit_ns",), ("tree",))


def test_a_group_flips_it_and_no_cost_alone() -> None:
    typical = NAMED["typical"]
    answer, _ = asked(
        lambda costs: locks(all(costs[name] > typical[name] for name in ("lock_remote_ns", "lock_handover_ns")))
    )
    assert (answer.costs, answer.groups) == ((), ("locks",))


def test_only_several_groups_together_flip_it() -> None:
    answer, _ = asked(lambda costs: locks(costs["rb_visit_ns"] > 100 and costs["map_ns"] > 500))
    assert (answer.kind, answer.costs, answer.groups) == (DEPENDS, (), ())


def test_cheaper_may_be_worse() -> None:
    answer, _ = asked(lambda costs: locks(costs["map_ns"] < 200))
    assert (answer.between, answer.costs) == (("typical", "low"), ("map_ns",))


def test_a_failed_run_leaves_it_unknown() -> None:
    answer, _ = asked(lambda costs: "failed" if costs["rb_visit_ns"] > 100 else "ok")
    assert answer.kind == UNKNOWN


def test_a_failed_run_beside_a_lockup_is_no_safe_one() -> None:
    answer, rounds = asked(lambda costs: "failed" if costs["map_ns"] < 200 else "soft_lockup")
    assert (answer.kind, answer.between, rounds) == (UNKNOWN, None, 1)


def test_every_cost_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(c.name for c in COST_COLUMNS)
