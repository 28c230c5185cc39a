"""A whole study against models with planted boundaries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sweep.capacity.costs import DEPENDS, LOCKS, SAFE, TABLES
from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies import REMEDIES
from sweep.capacity.remedies.remedy import ByRule, NoEffect
from sweep.capacity.search import LADDER, TOLERANCE, Headroom, factor
from sweep.capacity.study import Findings, Run, Study, complete
from sweep.execution.task import Simulate, attempt
from tests.sweep.capacity.standin import LIBRARY, Locks, above, host, model, rates
from workers.schema import RESULT_COLUMNS, Columns
from workers.tables import to_columns


def runner(simulate: Simulate, batches: list[int]) -> Run:
    """Runs batches in this process; their sizes go into ``batches``."""

    def run(scenarios: Sequence[dict]) -> list[dict]:
        batches.append(len(scenarios))
        columns = to_columns(list(scenarios))
        done, results, errors = attempt(columns, simulate)
        none = {**dict.fromkeys(c.name for c in RESULT_COLUMNS), "status": "failed", "error": None}
        rows = [{**scenario, **none} for scenario in scenarios]
        for row, error in errors.items():
            rows[row]["error"] = error
        for place, row in enumerate(done.tolist()):
            rows[row] |= {name: values[place : place + 1].tolist()[0] for name, values in results.items()}
            rows[row]["status"] = "ok"
        return rows

    return run


def studied(locks: Locks, *hosts: HostClass) -> tuple[tuple[Findings, ...], list[int]]:
    batches: list[int] = []
    study = Study(hosts, REMEDIES, {name: LIBRARY.host[name] for name in TABLES})
    return complete(study, runner(model(locks), batches)), batches


def test_before_after_and_headroom_of_a_planted_boundary() -> None:
    (found,), batches = studied(above({"array": 3000, "list": 9000}), host())
    assert (found.now.verdict, found.after.verdict) == ("ok", "ok")
    for line, at in ((found.now, 3.0), (found.after, 9.0)):
        assert line.headroom.safe is not None
        assert line.headroom.safe <= at < (line.headroom.unsafe or 0)
        assert (line.headroom.unsafe or 0) / line.headroom.safe == pytest.approx(1 + TOLERANCE)
    assert len(batches) == 2


def test_all_hosts_and_remedies_go_into_the_same_batches() -> None:
    hosts = [host(name=f"h{number}", unmap_rate_per_s=str(1000 * (number + 1))) for number in range(4)]
    findings, batches = studied(above({"array": 3000}), *hosts)
    lines = sum(1 + len(found.remedies) for found in findings)
    assert batches[0] == lines * len(LADDER) + len(hosts) * 2 * len(TABLES)
    assert len(batches) == 2
    assert [found.now.safe for found in findings] == [True, True, True, False]


def test_remedies_are_run_ruled_or_without_effect() -> None:
    (found,), _ = studied(above({"array_127": 500}), host(kernel="6.1"))
    assert found.now.verdict == "soft_lockup"
    assert found.now.headroom.safe == 0.5
    assert {name: line.safe for name, line in found.remedies.items()} == {
        "patch": True,
        "forcedac": False,
        "strict": True,
    }
    assert isinstance(found.answers["clamp"], NoEffect)
    assert isinstance(found.answers["passthrough"], ByRule)


def test_a_fixed_kernel_is_its_own_after() -> None:
    (found,), _ = studied(above({}), host(kernel="6.12"))
    assert found.after is found.now
    assert isinstance(found.answers["patch"], NoEffect)


def test_costs_are_asked_of_both_sides_at_the_host_s_own_rate() -> None:
    def locks(scenarios: Columns) -> np.ndarray:
        return (scenarios["rb_visit_ns"] > 100) & (scenarios["policy"] == "array") & (rates(scenarios) >= 999)

    (found,), _ = studied(locks, host(host="low"))
    assert found.now.safe
    assert (found.costs["before"].kind, found.costs["before"].costs) == (DEPENDS, ("rb_visit_ns",))
    assert found.costs["after"].kind == SAFE
    (locked,), _ = studied(above({"array": 1, "list": 1}), host())
    assert locked.costs["after"].kind == LOCKS


def test_the_achieved_rate_is_what_came_about() -> None:
    (found,), _ = studied(above({"array": 500}), host())
    assert found.now.achieved_rate_per_s == pytest.approx(100, rel=0.01)
    assert found.after.achieved_rate_per_s == pytest.approx(1000, rel=0.01)


def test_a_run_that_failed_is_a_verdict_and_never_safe() -> None:
    findings, _ = studied(above({}), host(name="bad", seed="666"), host(name="good"))
    assert [found.now.verdict for found in findings] == ["failed", "ok"]
    assert findings[0].now.safe is None
    assert findings[0].now.headroom == Headroom(None, None, factor(LADDER[-1]), (), failed=factor(LADDER[0]))
