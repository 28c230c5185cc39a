"""Points files: what is read, completed and refused, each refusal by name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.points import read_points
from workers.schema import SCENARIO_COLUMNS, ScenarioError
from workers.tables import complete_columns, complete_row, to_columns

ROW = {"cpus": "8", "unmap_burst": "4", "burst_period_us": "1000", "in_flight": "16"}


def csv(path, rows):
    pl.DataFrame(rows).write_csv(path)
    return path


def test_csv_is_completed_and_ids_stay_text(tmp_path):
    rows = [ROW | {"id": "007", "iova_pages": "1,8:2"}, ROW | {"id": "b", "iova_pages": None}]
    table = read_points(csv(tmp_path / "points.csv", rows))
    assert list(table) == [c.name for c in SCENARIO_COLUMNS]
    assert table["id"].tolist() == ["007", "b"]
    assert table["iova_pages"].tolist() == ["1,8:2", "1"]
    assert table["active_cpus"].tolist() == [8, 8]
    assert [table[name].dtype for name in ("cpus", "burst_period_us", "dma32_first")] == [
        np.int64,
        np.float64,
        np.bool_,
    ]
    assert table["dma32_first"].all()


def test_parquet_equals_csv(tmp_path):
    rows = [ROW | {"id": "a", "hz": "1000", "strict": "true"}, ROW | {"id": "b", "hz": None, "strict": None}]
    typed = pl.DataFrame(rows).with_columns(
        pl.col("cpus", "unmap_burst", "in_flight", "hz").cast(pl.Int32),
        pl.col("burst_period_us").cast(pl.Float64),
        pl.col("strict") == "true",
    )
    typed.write_parquet(tmp_path / "points.parquet")
    from_csv, from_parquet = read_points(csv(tmp_path / "p.csv", rows)), read_points(tmp_path / "points.parquet")
    for name in from_csv:
        assert from_csv[name].dtype == from_parquet[name].dtype, name
        assert from_csv[name].tolist() == from_parquet[name].tolist(), name


def test_absent_ids_are_a_hash_of_the_content(tmp_path):
    short = complete_columns({name: [value] for name, value in ROW.items()})["id"][0]
    spelled_out = complete_columns({name: [value] for name, value in (ROW | {"hz": 250, "active_cpus": 8}).items()})
    other = complete_columns({name: [value] for name, value in (ROW | {"seed": 1}).items()})["id"][0]
    assert len(short) == 16
    assert set(short) <= set("0123456789abcdef")
    assert spelled_out["id"][0] == short != other
    mixed = complete_columns({name: [value, value] for name, value in ROW.items()} | {"id": ["x", ""]})
    assert mixed["id"].tolist() == ["x", short]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu": ["8"]}, "cpu: unknown column"),
        ({"cpus": None}, "cpus: missing"),
        ({"cpus": [""]}, "cpus: missing"),
        ({"cpus": ["0"]}, "cpus: '0' was given"),
        ({"cpus": [8.5]}, "cpus: 8.5 was given"),
        ({"cpus": np.array([8, 0])}, "row 2"),
        ({"cpus": [True]}, "cpus: True was given"),
        ({"hz": ["many"]}, "hz: 'many' was given"),
        ({"rb_visit_ns": ["-1"]}, "rb_visit_ns: '-1' was given"),
        ({"rb_visit_ns": np.array([np.nan])}, "rb_visit_ns: nan was given"),
        ({"rb_visit_ns": ["nan"]}, "rb_visit_ns: 'nan' was given"),
        ({"unmap_burst": ["17"]}, "unmap_burst: 17 was given"),
        ({"active_cpus": ["9"]}, "active_cpus: 9 was given"),
        ({"iova_pages": ["1:1e308,8:1e308"]}, "iova_pages: .* its weights have no finite sum"),
        ({"iova_pages": ["1,1"]}, "iova_pages: '1,1' was given"),
        ({"phase": ["odd"]}, "phase: 'odd' was given"),
        ({"strict": ["maybe"]}, "strict: 'maybe' was given"),
    ],
)
def test_bad_tables_are_refused_by_name(change, says):
    rows = max(len(v) for v in change.values() if v is not None) if any(v is not None for v in change.values()) else 1
    table = {name: [value] * rows for name, value in ROW.items()} | change
    with pytest.raises(ScenarioError, match=says):
        complete_columns({name: values for name, values in table.items() if values is not None})


@pytest.mark.parametrize("seed", [2**53 + 1, 2**63 - 1])
def test_seeds_are_read_to_the_last_digit(tmp_path, seed):
    rows = [ROW | {"seed": str(seed)}, ROW | {"seed": None}]
    pl.DataFrame(rows).with_columns(pl.col("seed").cast(pl.UInt64)).write_parquet(tmp_path / "p.parquet")
    pl.DataFrame(rows).with_columns(pl.col("seed", "cpus").cast(pl.Int128)).write_parquet(tmp_path / "q.parquet")
    for table in map(read_points, (csv(tmp_path / "p.csv", rows), tmp_path / "p.parquet", tmp_path / "q.parquet")):
        assert table["seed"].tolist() == [seed, 0]


@pytest.mark.parametrize(
    ("column", "values"), [("iova_pages", [[1, 8]]), ("seed", [[1]]), ("id", [b"a"]), ("iova_pages", [{"size": 1}])]
)
def test_columns_of_no_single_values_are_refused_by_name(tmp_path, column, values):
    pl.DataFrame([ROW]).with_columns(pl.Series(column, values)).write_parquet(tmp_path / "p.parquet")
    with pytest.raises(ScenarioError, match=f"{column}: a column of .* was given"):
        read_points(tmp_path / "p.parquet")


@pytest.mark.parametrize("ending", ["\n", "\n\n", "\n\n\n", "\r\n\r\n"])
def test_empty_lines_are_no_scenarios(tmp_path, ending):
    path = tmp_path / "p.csv"
    path.write_bytes("".join(",".join(line) + ending for line in (ROW, ROW.values())).encode())
    assert read_points(path)["cpus"].tolist() == [8]


@pytest.mark.parametrize("name", ["points[1].csv", "*.csv", "points[1].parquet"])
def test_a_name_is_no_pattern(tmp_path, name):
    table = pl.DataFrame([ROW])
    (table.write_csv if name.endswith("csv") else table.write_parquet)(tmp_path / name)
    pl.DataFrame([ROW, ROW | {"seed": "1"}]).write_csv(tmp_path / "points1.csv")
    assert len(read_points(tmp_path / name)["id"]) == 1


def test_a_tilde_is_the_user_s_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    csv(tmp_path / "p.csv", [ROW])
    assert read_points("~/p.csv")["cpus"].tolist() == [8]


def test_repeated_ids_are_refused_by_name(tmp_path):
    with pytest.raises(ScenarioError, match="id: 'twin' was given in rows 1 and 3"):
        read_points(csv(tmp_path / "p.csv", [ROW | {"id": "twin"}, ROW | {"id": "a"}, ROW | {"id": "twin"}]))


def test_equal_rows_without_ids_are_said_to_be_equal(tmp_path):
    said = r"q\.csv: id: none was given in rows 1 and 3, which are the same scenario; give them ids that differ$"
    with pytest.raises(ScenarioError, match=said):
        read_points(csv(tmp_path / "q.csv", [ROW, ROW | {"seed": "1"}, ROW | {"hz": "250"}]))
    told_apart = csv(tmp_path / "r.csv", [ROW | {"id": "a"}, ROW | {"id": "b"}, ROW | {"id": None}])
    assert read_points(told_apart)["id"].tolist()[:2] == ["a", "b"]


def test_ids_differ_where_48_bits_of_them_do_not(tmp_path):
    row = {"cpus": 8, "unmap_burst": 64, "burst_period_us": 12345.678, "in_flight": 128}
    ids = read_points(csv(tmp_path / "p.csv", [row | {"seed": str(seed)} for seed in (21292315, 26931719)]))["id"]
    assert ids[0] != ids[1]
    assert ids[0][:12] == ids[1][:12]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "cannot be read"),
        (b"cpus,unmap_burst,burst_period_us,in_flight\n", "holds no scenarios"),
        (b"cpus,hz\n1,2,3\n", "row 1: 3 cells were given for 2 columns; quote cells with commas$"),
        (b"id,iova_pages\na,1\n\n,\nb,1,8\n", "csv: row 2: 3 cells were given for 2 columns"),
        (b"\n\n", "cannot be read"),
        (b"cpus,cpus\n1,2\n", "cpus: given twice; allowed is a column once"),
        (b"id;cpus\na;2\n", "cells are separated by ';'; allowed is a comma"),
        (b"cpu,hz\n1,2\n", r"cpu: unknown column; did you mean cpus\?$"),
        (b"unmap_rate_per_s,hz\n1,2\n", "unmap_rate_per_s: unknown column; give burst_period_us, 1e6 x unmap_burst /"),
        (b"colour,hz\n1,2\n", "colour: unknown column; known are id, cpus"),
        (b" cpus,hz\n1,2\n", r"' cpus': unknown column; did you mean cpus\?$"),
        (b"cpus,\n1,2\n", "'': unknown column; known are id, cpus"),
        (b"\xff\xfe\x00cpus\n\xff\n", "points.csv"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "points.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError, match=says) as error:
        read_points(path)
    assert "\n" not in str(error.value)


def test_a_name_beyond_what_folders_hold_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_points(tmp_path / ("a" * 300))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ScenarioError, match="it is a folder, allowed is a CSV or Parquet file"):
        read_points(tmp_path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "points.parquet"
    path.write_text("cpus\n8\n")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_points(path)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "cpus": st.integers(2, 64),
                "unmap_burst": st.integers(1, 9),
                "burst_period_us": st.floats(0.1, 1e6),
                "in_flight": st.integers(9, 99),
            },
            optional={
                "active_cpus": st.none() | st.integers(1, 2),
                "hz": st.none() | st.sampled_from([100, 250, 1000]),
                "strict": st.none() | st.booleans(),
                "iova_pages": st.sampled_from(["1", "1,8", "4:0.5,1:1"]),
                "seed": st.integers(0, 2**53),
            },
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_table_equals_its_rows_one_by_one(rows):
    names = dict.fromkeys(name for row in rows for name in row)
    ids = [str(i) for i in range(len(rows))]
    expected = to_columns([complete_row(row | {"id": i}) for row, i in zip(rows, ids, strict=True)])
    table = complete_columns({name: [row.get(name) for row in rows] for name in names} | {"id": ids})
    assert {k: v.tolist() for k, v in table.items()} == {k: v.tolist() for k, v in expected.items()}


def test_many_rows_are_read_whole(tmp_path):
    rows = 20_000
    rng = np.random.default_rng(1)
    table = pl.DataFrame(
        {"id": [f"{i:06d}" for i in range(rows)], "cpus": rng.integers(8, 512, rows), "unmap_burst": 4}
        | {"burst_period_us": rng.uniform(10, 1e5, rows), "in_flight": 64, "seed": np.arange(rows)}
    )
    table.write_csv(tmp_path / "p.csv")
    read = read_points(tmp_path / "p.csv")
    assert read["id"].tolist() == table["id"].to_list()
    assert read["burst_period_us"].tolist() == table["burst_period_us"].to_list()
