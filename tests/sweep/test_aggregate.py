"""Aggregation against tables whose answer is known."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sweep.aggregate import (
    MAX_AXIS_VALUES,
    MAX_SIZE_ROWS,
    size_rows,
    summarize,
)
from sweep.pairs import CLASSES
from tests.sweep.frames import boundary_frame, frame, lazy, paired, result_row
from workers.schema import VERDICTS

POLICIES = ("array", "list", "array_127", "list_127")


def summary_of(table: pl.LazyFrame) -> pl.DataFrame:
    return summarize(table, paired(table).lazy())


def pick(summary: pl.DataFrame, **where: str) -> dict[str, int | float]:
    rows = summary.filter(**where)
    return dict(zip(rows["metric"], rows["count"].fill_null(0), strict=True))


def test_counts_of_a_known_table() -> None:
    summary = summary_of(boundary_frame().lazy())
    assert pick(summary, section="verdict", policy="array", axis="all") == {"chained": 8, "ok": 36, "soft_lockup": 10}
    assert pick(summary, section="verdict", policy="list", axis="all") == {"chained": 4, "ok": 45, "soft_lockup": 5}
    classes = pick(summary.filter(pl.col("count").is_not_null()), section="pair", policy="list", axis="all")
    assert classes == {"safe_in_both": 44, "fixed": 5, "broken_by_patch": 0, "locked_in_both": 5}


def test_percentiles_are_values_that_occurred() -> None:
    table = lazy(*(result_row({"seed": i}, callback_max_ms=float(i), memory_peak_bytes=i) for i in range(1, 101)))
    figures = summary_of(table).filter(axis="all")
    found = dict(figures.select("metric", "figure").iter_rows())
    assert found["callback_max_ms_max"] == 100.0
    assert found["memory_peak_bytes_max"] == 100.0
    assert found["callback_max_ms_p50"] in (50.0, 51.0)
    assert found["callback_max_ms_p95"] in (95.0, 96.0)


def test_axes_are_the_columns_that_vary_and_the_rate() -> None:
    axes = set(summary_of(boundary_frame().lazy())["axis"])
    assert axes == {"all", "cpus", "active_cpus", "iova_pages", "burst_period_us", "in_flight", "unmap_rate_per_s"}


def test_values_of_a_numeric_axis_are_in_numeric_order() -> None:
    values = summary_of(boundary_frame().lazy()).filter(section="verdict", policy="array", axis="cpus", metric="ok")[
        "value"
    ]
    assert values.to_list() == ["16", "64", "256"]


def test_an_irregular_axis_goes_to_powers_of_two() -> None:
    many = lazy(*(result_row({"in_flight": 64 + i}) for i in range(MAX_AXIS_VALUES + 30)))
    groups = summary_of(many).filter(section="verdict", axis="in_flight", metric="ok")
    assert groups.select("value", "count").rows() == [("64.0 to 128.0", 64), ("128.0 to 256.0", 6)]


def test_nothing_is_no_power_of_two() -> None:
    """Neither seed 0 nor a cost of 0; what is next to it is one."""
    costs = (0.0, 1e-12, *map(float, range(1, MAX_AXIS_VALUES + 1)))
    many = lazy(*(result_row({"seed": i, "rb_visit_ns": cost}) for i, cost in enumerate(costs)))
    groups = summary_of(many).filter(section="verdict", metric="ok")
    seeds, visits = (groups.filter(axis=axis).select("value", "count").rows() for axis in ("seed", "rb_visit_ns"))
    assert seeds[:3] == [("0", 1), ("1.0 to 2.0", 1), ("2.0 to 4.0", 2)]
    assert [visits[0], visits[2]] == [("0", 1), ("1.0 to 2.0", 1)]
    assert sum(count for _, count in visits) == len(costs)


def test_many_mixes_become_four_rows() -> None:
    texts = [str(1 << i) for i in range(11)] + ["3", "1,64"]
    assert len(texts) > MAX_SIZE_ROWS
    rows = size_rows(frame(*(result_row({"iova_pages": text}) for text in texts)))
    assert dict(rows.select("iova_pages", "size_row").iter_rows())["1,64"] == "over 32 pages"
    assert rows["size_row"].n_unique() == 4


verdict_tables = st.lists(
    st.tuples(st.sampled_from(POLICIES), st.sampled_from((8, 64)), st.sampled_from(VERDICTS)), min_size=1, max_size=20
)


@settings(max_examples=25, deadline=None)
@given(verdict_tables)
def test_counts_add_up(cases: list[tuple[str, int, str]]) -> None:
    rows = [result_row({"policy": p, "cpus": c, "seed": i}, verdict=v) for i, (p, c, v) in enumerate(cases)]
    summary = summary_of(lazy(*rows))
    for metrics in (VERDICTS, CLASSES):
        counted = summary.filter(pl.col("metric").is_in(metrics))
        sums = counted.group_by("section", "before", "policy", "axis", "value").agg(
            pl.col("count").sum(), pl.col("figure").sum(), pl.col("scenarios").first()
        )
        assert (sums["count"] == sums["scenarios"]).all()
        assert ((sums["figure"] - 1).abs() < 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(verdict_tables, st.randoms())
def test_the_order_of_rows_does_not_matter(cases: list[tuple[str, int, str]], random: object) -> None:
    rows = [result_row({"policy": p, "cpus": c, "seed": i}, verdict=v) for i, (p, c, v) in enumerate(cases)]
    shuffled = sorted(rows, key=lambda row: random.random())  # type: ignore[attr-defined]
    assert_frame_equal(summary_of(lazy(*rows)), summary_of(lazy(*shuffled)))


def test_failed_scenarios_are_left_out() -> None:
    failed = boundary_frame().with_columns(status=pl.lit("failed"), verdict=pl.lit(None, pl.String))
    whole = summary_of(boundary_frame().lazy())
    assert_frame_equal(summary_of(pl.concat([boundary_frame(), failed]).lazy()), whole)
    assert_frame_equal(summary_of(failed.lazy()), whole.clear())
    one_sided = pl.concat([boundary_frame(("array",)), failed.filter(policy="list")])
    assert_frame_equal(summary_of(one_sided.lazy()), summary_of(boundary_frame(("array",)).lazy()))
