"""The agreement report: what counts as right, as chained and as judged; and a run against the scalar twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.agreement import FIGURES, MAGAZINES, judge
from benchmarks.model_agreement import main, of_sizes, report, summary
from benchmarks.truth import Case, columns
from sweep.report.agreement import agreement
from workers import MODEL_VERSION
from workers.reference.run import simulate_columns
from workers.tables import complete_row

SCENARIO = complete_row({"cpus": 4, "unmap_burst": 16, "burst_period_us": 200, "in_flight": 32, "horizon_s": 0.05})
CALM = {figure.column: 2_000.0 for figure in FIGURES.values()} | {
    "softirq_residency_max_ms": 3.0,
    "rbtree_lock_held_fraction": 0.2,
    "magazines_peak": 148,
}
STUCK = CALM | {"softirq_residency_max_ms": 30.0, "callback_mean_ms": 4_000.0}


def cases(*seeds):
    return [Case(SCENARIO, policy, rows) for policy, rows in zip(("array", "list"), seeds, strict=True)]


def results(*rows):
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_the_first_seed_itself_is_right_everywhere():
    found = judge(cases([STUCK, CALM], [CALM, CALM]), results(STUCK, CALM))
    assert found.right.all()
    assert not found.chained.any()
    assert not any(errors.any() for errors in found.errors.values())


def test_a_class_of_neither_seed_is_wrong():
    found = judge(cases([STUCK, STUCK], [CALM, STUCK]), results(CALM, STUCK | {"softirq_residency_max_ms": 1e3}))
    assert found.right.tolist() == [False, False]
    assert found.chained.tolist() == [True, False]
    assert found.errors["callback_mean_ms"].tolist() == [-0.5, 0.0]
    text = report(cases([STUCK, STUCK], [CALM, STUCK]), results(CALM, CALM))
    assert "class right                                     50.0 % of    2, asked 97 %  missed" in text
    assert "class right, chained                             0.0 % of    1, asked 90 %  missed" in text


def test_what_reports_quote_is_what_is_printed():
    pair = cases([STUCK, STUCK], [CALM, STUCK])
    kept = summary(pair, results(CALM, CALM), "truth.jsonl")
    quoted = {figure["name"]: figure for figure in kept["figures"]}
    assert quoted["class right"] == {"name": "class right", "measured": "50.0 % of 2", "target": "97 %", "met": False}
    assert quoted["ops_completed within 5 %"]["met"]
    assert {"name": "one size", "rows": 2, "class_right": 0.5} in kept["slices"]
    assert kept["rows"] == 2
    assert json.loads(json.dumps(kept)) == kept


def test_small_counts_are_not_judged_and_cpu_magazines_do_not_count():
    few = CALM | {"rbtree_erases": 1_000.0}
    more = CALM | {"magazines_peak": 168, "rbtree_lock_held_fraction": 0.3}
    found = judge(cases([few, few], [few, CALM]), results(CALM, more))
    assert np.isnan(found.errors["rbtree_erases"]).tolist() == [True, False]
    assert found.errors[MAGAZINES].tolist() == [0.0, pytest.approx(20 / 100)]
    assert found.errors["rbtree_lock_held_fraction"].tolist() == [0.0, pytest.approx(0.1)]


def test_sizes():
    mixed = Case(SCENARIO | {"iova_pages": "1:0.7,32:0.3"}, "array", [CALM])
    one = Case(SCENARIO, "array", [CALM])
    assert of_sizes([mixed, one], "mixed") == [mixed]
    assert of_sizes([mixed, one], "one") == [one]
    assert of_sizes([mixed, one], "all") == [mixed, one]


def test_a_short_run_agrees_with_the_scalar_twin(tmp_path, capsys):
    pair = cases([], [])
    twin = simulate_columns(columns(pair))
    rows = [{name: values.tolist()[i] for name, values in twin.items()} for i in range(2)]
    path = tmp_path / "truth.jsonl"
    path.write_text(json.dumps({"scenario": SCENARIO, "array": rows[:1], "list": rows[1:]}))
    main([str(path), "--rows", "1"])
    text = capsys.readouterr().out
    assert "2 rows, scenarios times policies" in text
    assert "class right                                    100.0 % of    2" in text
    assert "ops_completed within 5 %                       100.0 % of    2" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.jsonl"], "none.jsonl: not a readable text file"),
        (["none.jsonl", "--rows", "0"], "--rows: 0 was given; allowed are whole numbers from 1"),
    ],
)
def test_bad_arguments_end_with_one_sentence(arguments, told, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(told)
    assert shown.err.count("\n") == 1


def test_what_reports_quote_was_measured_with_this_version_of_the_model():
    packaged = agreement()
    assert packaged is not None
    assert packaged.model_version == MODEL_VERSION
