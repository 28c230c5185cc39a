"""Scenario tables for the tests of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from workers.reference.policies import depot_columns
from workers.schema import Columns
from workers.tables import complete_columns

SIZES = ("1", "16", "32", "33", "64", "1024", "1,8", "16:0.3,64:0.7", "1,3,32,200")
POLICIES = ("array", "list", "array_127", "list_127", "list_untrimmed", "array_128mags", "array_cpus")


def table(rows: Sequence[dict[str, Any]]) -> Columns:
    """Scenario and depot columns of the rows given; None stands for the default."""
    names = dict.fromkeys(name for row in rows for name in row)
    scenarios = complete_columns({name: [row.get(name) for row in rows] for name in names})
    return scenarios | depot_columns(scenarios)


@st.composite
def small_scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario of few CPUs and a short horizon, of any kind: cheap to run, rich in what happens."""
    cpus = draw(st.integers(1, 6))
    burst = draw(st.sampled_from((1, 7, 64, 200, 256, 700)))
    return {
        "cpus": cpus,
        "active_cpus": draw(st.integers(1, cpus)),
        "unmap_burst": burst,
        "in_flight": draw(st.integers(burst, 3 * burst)),
        "burst_period_us": draw(st.sampled_from((200.0, 1_000.0, 7_000.0, 30_000.0))),
        "iova_pages": draw(st.sampled_from(SIZES)),
        "phase": draw(st.sampled_from(("random", "aligned"))),
        "free_cpu_shift": draw(st.integers(0, 3)),
        "dma32_first": draw(st.booleans()),
        "strict": draw(st.sampled_from((False, False, False, True))),
        "hz": draw(st.sampled_from((100, 250, 1000))),
        "policy": draw(st.sampled_from(POLICIES)),
        "rb_visit_ns": draw(st.sampled_from((12.0, 150.0))),
        "fq_entry_remote_ns": draw(st.sampled_from((60.0, 20_000.0))),
        "seed": draw(st.integers(0, 2**63 - 1)),
    }
