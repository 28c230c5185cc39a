"""Fleet files: what a row becomes, and one sentence with file, row and column for what it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.capacity.fleet import FLEET_COLUMNS, HOURS_A_YEAR, read_fleet
from sweep.capacity.kernels import KERNELS, fixed_policy, is_fixed
from tests.sweep.capacity.standin import HORIZON_S, LIBRARY
from workers.schema import ScenarioError

EXAMPLE = Path(__file__).parents[3] / "conf" / "fleet" / "example.csv"
HEADER = "name,kernel,cpus,unmap_burst,unmap_rate_per_s,in_flight"
ROW = "a,5.15,16,8,1000,64"


def read(folder: Path, *lines: str) -> tuple:
    path = folder / "fleet.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_fleet(str(path), LIBRARY, HORIZON_S)


def test_the_example_names_every_kernel_and_is_read() -> None:
    hosts = read_fleet(str(EXAMPLE), LIBRARY, HORIZON_S)
    assert {host.kernel for host in hosts} == set(KERNELS)
    assert len(hosts) == 8
    assert all(host.scenario["policy"] in LIBRARY.depot and host.scenario["horizon_s"] == HORIZON_S for host in hosts)


def test_a_row_counts_before_its_workload_and_that_before_its_host(tmp_path: Path) -> None:
    header = "name,kernel,cpus,host,workload,in_flight,map_ns,count,load_hours_per_year,domains"
    (host,) = read(tmp_path, header, "a,6.1,64,high,nvme_4k_randread,77,3,12,100,4")
    workload, costs = LIBRARY.workload["nvme_4k_randread"], LIBRARY.host["high"]
    assert (host.count, host.load_hours_per_year, host.scenario["domains"]) == (12, 100.0, 4)
    assert (host.scenario["in_flight"], host.scenario["map_ns"]) == (77, 3.0)
    assert host.scenario["unmap_burst"] == workload["unmap_burst"]
    assert host.scenario["rb_visit_ns"] == costs["rb_visit_ns"]
    assert host.scenario["policy"] == "array_127"


def test_a_rate_replaces_the_period_of_the_workload(tmp_path: Path) -> None:
    header = "name,kernel,cpus,workload,unmap_rate_per_s"
    (host,) = read(tmp_path, header, "a,5.15,64,nvme_4k_randread,500")
    assert host.unmap_rate_per_s == pytest.approx(500)
    assert host.load_hours_per_year == HOURS_A_YEAR
    assert host.host == "typical"


def test_empty_lines_blanks_and_a_mark_at_the_beginning_do_not_count(tmp_path: Path) -> None:
    (host,) = read(tmp_path, "\ufeff" + HEADER, "", " a , 5.15,16,8,1000,64", ",,,,,")
    assert host.name == "a"


def test_kernels_and_their_fixes() -> None:
    assert [name for name in KERNELS if is_fixed(name)] == ["5.15+fix", "6.12"]
    assert [fixed_policy(name) for name in KERNELS] == ["list", "list", "list_127", "list_127"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEADER, ROW, "b,5.14,16,8,1000,64"], "row 2, column kernel: '5.14' was given; allowed are 5.15, 5.15+fix"),
        ([HEADER, "a,5.15,x,8,1000,64"], "row 1, column cpus: 'x' was given; allowed is a whole number from 1"),
        ([HEADER, "a,5.15,16,8,0,64"], "row 1, column unmap_rate_per_s: '0' was given; allowed is"),
        ([HEADER, "a,5.15,16,8,1e9,64"], "row 1, column unmap_rate_per_s: 1e+09 was given; in bursts of 8 allowed is"),
        ([HEADER, "a,5.15,16,65,1000,64"], "row 1, column unmap_burst: 65 was given; allowed is at most in_flight"),
        ([HEADER, "a,5.15,16,8,,64"], "row 1, column burst_period_us: missing"),
        ([HEADER, "a,5.15,16,,1000,64"], "row 1, column unmap_burst: missing"),
        ([HEADER, ",5.15,16,8,1000,64"], "row 1, column name: missing"),
        ([HEADER, "=cmd(),5.15,16,8,1000,64"], "row 1, column name: '=cmd()' was given"),
        ([HEADER, "a/b,5.15,16,8,1000,64"], "row 1, column name: 'a/b' was given"),
        ([HEADER, ROW, ROW], "row 2, column name: 'a' was given before"),
        ([HEADER, f"{ROW},7"], "row 1: 7 cells were given for 6 columns"),
        ([HEADER], "holds no host class"),
        ([], "header, column name: missing"),
        (["name,kernel,cpu", "a,5.15,16"], "header, column 'cpu': unknown; known are name, count"),
        (["name;kernel;cpus", "a;5.15;16"], "header: cells are separated by ';'; allowed is a comma"),
        (["name,name,kernel", "a,a,5.15"], "header, column name: given twice"),
        (["name,kernel,policy", "a,5.15,list"], "header, column policy: given, but it is set by kernel"),
        (["name,cpus", "a,16"], "header, column kernel: missing"),
        ([f"{HEADER},host", f"{ROW},none"], "row 1, column host: 'none' was given; allowed are amd_milan"),
        ([f"{HEADER},workload", f"{ROW},none"], "row 1, column workload: 'none' was given; allowed are"),
        ([f"{HEADER},count", f"{ROW},0"], "row 1, column count: '0' was given; allowed is a whole number from 1"),
        ([f"{HEADER},load_hours_per_year", f"{ROW},9000"], "row 1, column load_hours_per_year: '9000' was given"),
        ([f"{HEADER},iova_pages", f'{ROW},"1:x"'], "row 1, column iova_pages: '1:x' was given"),
        ([f"{HEADER},burst_period_us", f"{ROW},5"], "row 1, column unmap_rate_per_s: given beside burst_period_us"),
        ([HEADER, '"a,5.15'], "cannot be read as CSV"),
    ],
)
def test_bad_input_is_one_sentence(lines: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as raised:
        read(tmp_path, *lines)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'fleet.csv'}: ")
    assert "\n" not in str(raised.value)


def test_no_such_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read as a fleet"):
        read_fleet(str(tmp_path / "none.csv"), LIBRARY, HORIZON_S)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="no UTF-8 text"):
        read_fleet(str(tmp_path / "bytes.csv"), LIBRARY, HORIZON_S)


def test_every_column_has_a_meaning() -> None:
    assert all(column.meaning for column in FLEET_COLUMNS)
