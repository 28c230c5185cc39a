"""Axes: one value, a list, or a spec; everything else refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.plan.axes import axis_length, axis_values
from workers.schema import ScenarioError


@pytest.mark.parametrize(
    ("name", "said", "values"),
    [
        ("cpus", 8, [8]),
        ("cpus", [8, 16], [8, 16]),
        ("iova_pages", [1, "1,8"], ["1", "1,8"]),
        ("strict", [True, False], [True, False]),
        ("host", ["low"], ["low"]),
        ("cpus", {"start": 8, "stop": 512, "scale": "log2"}, [8, 16, 32, 64, 128, 256, 512]),
        ("cpus", {"start": 8, "stop": 500, "scale": "log2"}, [8, 16, 32, 64, 128, 256]),
        ("cpus", {"start": 1, "stop": 4, "num": 4, "scale": "linear"}, [1, 2, 3, 4]),
        ("unmap_rate_per_s", {"start": 1e3, "stop": 1e6, "num": 4, "scale": "log"}, [1e3, 1e4, 1e5, 1e6]),
        ("rb_visit_ns", {"start": 0, "stop": 1, "num": 3}, [0.0, 0.5, 1.0]),
        ("rb_visit_ns", {"start": 0, "stop": 1, "num": 4}, [0.0, 0.333333, 0.666667, 1.0]),
        ("unmap_rate_per_s", {"start": 1, "stop": 1234567, "num": 2}, [1.0, 1234567.0]),
        ("unmap_rate_per_s", {"start": 1.2345612, "stop": 2, "num": 2, "scale": "log"}, [1.2345612, 2.0]),
    ],
)
def test_values(name: str, said: object, values: list[object]) -> None:
    assert axis_values(name, said) == values


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("cpus", [], "grid.cpus: an empty list"),
        ("cpus", [0], "grid.cpus: 0 was given"),
        ("cpus", [8, 8.0], "grid.cpus: 8 was given twice"),
        ("cpus", [8.5], "grid.cpus: 8.5 was given"),
        ("rb_visit_ns", [float("nan")], "grid.rb_visit_ns: nan was given"),
        ("rb_visit_ns", -1, "grid.rb_visit_ns: -1 was given"),
        ("unmap_rate_per_s", [0], "grid.unmap_rate_per_s: 0 was given"),
        ("iova_pages", [(1 << 20) + 1], "grid.iova_pages: '1048577' was given"),
        ("cpus", {"start": 8, "stop": 16, "step": 2}, "grid.cpus.step: unknown key"),
        ("cpus", {"start": 8, "stop": 16}, "grid.cpus.num: missing; allowed is {start, stop, num"),
        ("cpus", {"start": 8, "stop": 16, "num": 0}, "grid.cpus.num: 0 was given"),
        ("cpus", {"start": 4, "stop": 5, "num": 5}, "4 was given twice; the values of an axis must differ; num 5"),
        ("rb_visit_ns", {"start": 1, "stop": 1.0000001, "num": 2}, "1.0 was given twice; the values of an axis must"),
        ("cpus", {"start": 8, "num": 2}, "grid.cpus.stop: missing; allowed is {start, stop, num"),
        ("cpus", {"start": 16, "stop": 8, "num": 2}, "grid.cpus: start 16 and stop 8"),
        ("cpus", {"start": 0, "stop": 8, "num": 2, "scale": "log"}, "a start above 0"),
        ("cpus", {"start": -1e308, "stop": 1e308, "num": 3}, "grid.cpus.start: -1e+308 was given; allowed is 1 to"),
        ("cpus", {"start": 8, "stop": 5000, "scale": "log2"}, "grid.cpus.stop: 5000 was given; allowed is 1 to 4096"),
        ("unmap_rate_per_s", {"start": 1e-300, "stop": 1e300, "scale": "log2"}, "_per_s.start: 1e-300 was given; "),
        ("policy", {"start": 1e-300, "stop": 1e300, "scale": "log2"}, "grid.policy: {'start': 1e-300, 'stop': 1e+300,"),
        ("host", {"start": 1, "stop": 2, "num": 2}, "was given; allowed is a value or a list"),
        ("cpus", {"start": 1, "stop": 8, "num": 2, "scale": "cubic"}, "grid.cpus.scale: 'cubic' was given"),
    ],
)
def test_refusals(name: str, said: object, told: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        axis_values(name, said)
    assert told in str(refusal.value)


def test_from_next_to_nothing_to_the_most() -> None:
    values = axis_values("rb_visit_ns", {"start": 1e-300, "stop": 1e9, "scale": "log2"})
    assert (values[:2], len(values)) == ([1e-300, 2e-300], 1027)
    assert 5e8 < values[-1] <= 1e9


@given(st.integers(1, 512), st.integers(0, 3584), st.integers(1, 40), st.sampled_from(["linear", "log"]))
def test_a_spec_has_num_values_between_its_ends_or_is_refused(start: int, span: int, num: int, scale: str) -> None:
    said = {"start": start, "stop": start + span, "num": num, "scale": scale}
    spaced = np.linspace(start, start + span, num) if scale == "linear" else np.geomspace(start, start + span, num)
    if len({round(value) for value in spaced}) < num:
        with pytest.raises(ScenarioError, match="was given twice"):
            axis_values("cpus", said)
        return
    values = axis_values("cpus", said)
    assert values[0] == start
    assert values == sorted(set(values))
    assert len(values) == num == axis_length(said)
    assert num == 1 or values[-1] == start + span
