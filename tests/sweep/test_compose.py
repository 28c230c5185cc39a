"""The command line by way of Hydra."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.compose import Composed, compose
from sweep.config import given
from sweep.plan import Plan
from sweep.run import plan_of
from workers.schema import ScenarioError


def composed(*argv: str) -> Composed:
    result = compose(list(argv))
    assert result is not None
    return result


def grid(*argv: str) -> dict[str, Any]:
    return vars(composed(*argv).config.grid)


def test_without_a_grid_it_is_the_small_one() -> None:
    assert grid() == grid("+grid=small") == grid("grid=small")
    assert grid("executor=inline", "grid.cpus=[8]")["cpus"] == [8]
    assert grid("+grid=smoke", "grid.hz=[100,1000]")["hz"] == [100, 1000]


def test_an_axis_changes_its_kind() -> None:
    spec = {"start": 1, "stop": 9, "num": 3}
    assert grid("grid.unmap_rate_per_s={start:1,stop:9,num:3}")["unmap_rate_per_s"] == spec
    assert grid("+grid=large", "grid.unmap_rate_per_s=[5]")["unmap_rate_per_s"] == [5]
    assert grid("+grid=large", "grid.unmap_rate_per_s=5")["unmap_rate_per_s"] == 5
    assert grid("+grid=large", "grid.unmap_rate_per_s.num=2")["unmap_rate_per_s"]["num"] == 2


def test_an_axis_is_emptied_or_given_anew() -> None:
    assert grid("~grid.cpus")["cpus"] is None
    spec = {"start": 1, "stop": 10, "num": 2}
    assert grid("+grid.cpus={start:1,stop:10,num:2}")["cpus"] == spec
    assert grid("++grid.cpus=[3]")["cpus"] == [3]


def test_what_the_command_line_gave_is_kept_apart() -> None:
    assert composed("host=high").overrides == ("host=high",)
    assert composed("grid=smoke", "grid.cpus=[8]").overrides == ("+grid=smoke", "grid.cpus=[8]")


def test_host_and_cluster_groups() -> None:
    config = composed("host=high", "host.map_ns=7", "cluster=existing", "cluster.cpus=3").config
    assert given(config.host)["rb_visit_ns"] == 176
    assert given(config.host)["map_ns"] == 7
    assert (config.cluster.address, config.cluster.cpus) == ("auto", 3)


def test_what_a_grid_leaves_open_is_the_host_s_or_the_workload_s() -> None:
    some = ("grid.points=[{cpus:8,unmap_burst:4,hz:100},{cpus:8,unmap_burst:4}]",)
    config = composed("+grid=smoke", "~grid.cpus", "~grid.unmap_burst", *some, "workload.hz=300").config
    assert given(config.workload) == {"hz": 300}
    config = composed("+grid=smoke", "grid.unmap_burst=null", "workload.unmap_burst=8", "host.map_ns=9").config
    assert (config.workload.unmap_burst, config.host.map_ns) == (8, 9)


@pytest.mark.parametrize(
    "path",
    [
        "/data/a b[1],{2}=it's.csv",
        "/data/a${executor}",
        "/data/ü$${oc.env:HOME}'",
        r"/data/\${x}\\${",
        r"/data/a\b\'c",
        "/data/\\",
    ],
)
def test_paths_are_taken_as_they_are(path: str) -> None:
    config = composed(f"points={path}", f"output={path}").config
    assert (config.points, config.output) == (path, path)


def test_showing_things_composes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert compose(["--help"]) is None
    assert "grid: ci, incidents, large, small, smoke" in capsys.readouterr().out
    assert compose(["--cfg", "job"]) is None
    assert "name: small" in capsys.readouterr().out
    assert compose(["--info", "searchpath"]) is None
    assert "pkg://conf" in capsys.readouterr().out
    assert compose(["executor=inline", "--info"]) is None
    assert "pkg://conf" in capsys.readouterr().out


def test_the_small_grid_stands_beside_other_overrides_wherever_flags_are(tmp_path: Path) -> None:
    for argv in (["quiet=true", "--config-dir", str(tmp_path)], ["--config-dir", str(tmp_path), "quiet=true"]):
        assert vars(composed(*argv).config.grid) == grid()


@pytest.mark.parametrize("name", ["20261201", "007", "1e5", "2024-12-01", "nan", "True"])
def test_names_that_look_like_numbers(tmp_path: Path, name: str) -> None:
    files = {"grid": "name: mine\ncpus: [4]\n", "host": "rb_visit_ns: 7\n", "workload": "in_flight: 9\n"}
    for group, text in files.items():
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{name}.yaml").write_text(text)
    config = composed("--config-dir", str(tmp_path), f"+grid={name}", f"host={name}", f"workload={name}").config
    assert (config.grid.cpus, config.host.rb_visit_ns, config.workload.in_flight) == ([4], 7, 9)
    assert composed("--config-dir", str(tmp_path), f"grid={name}").overrides == (f"+grid='{name}'",)


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    files = {
        "grid/mine.yaml": "name: mine\ncpus: [4]\nhost: [box]\nworkload: [load]\npolicy: [tiny, list]\n",
        "host/box.yaml": "rb_visit_ns: 1e2\nsources: {rb_visit_ns: guessed}\n",
        "workload/load.yaml": "unmap_burst: 4\nunmap_rate_per_s: 1000\nin_flight: 8\n",
        "depot/tiny.yaml": "depot_kind: array\ndepot_capacity: 1\ndepot_capacity_per_cpu: 0\n"
        "trim_threshold_per_cpu: 0\ntrim_period_ms: 0\ntrim_magazines: 0\nmagazine_pfns: 128\n"
        "magazine_bytes: 2048\nflush_queue_bytes_per_cpu: 8208\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    mine = composed("--config-dir", str(tmp_path), "+grid=mine")
    rows = plan_of(mine.config, mine.library).rows(np.arange(2))
    assert rows["policy"].tolist() == ["tiny", "list"]
    assert rows["depot_capacity"].tolist() == [1, 0]
    assert rows["rb_visit_ns"].tolist() == [100.0, 100.0]
    assert rows["burst_period_us"].tolist() == [4000.0, 4000.0]


@pytest.mark.parametrize("name", ["depot/array.yaml", "host/high.yaml", "workload/pktgen_tx.yaml", "grid/small.yaml"])
def test_a_file_of_ones_own_never_goes_unsaid(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("{}\n")
    with pytest.raises(ScenarioError, match=f"{name}: given in .*; allowed is another name"):
        compose(["--config-dir", str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rb_vist_ns: 1\n", "host/box.yaml: rb_vist_ns is unknown"),
        ("a: [", "host/box.yaml: cannot be read as YAML"),
        ("- 1\n", "host/box.yaml: holds no keys"),
        ("rb_visit_ns: 1:30.5\n", "host/box.yaml: 1:30.5 was given in line 1, which YAML reads as a number in base 60"),
        ("rb_visit_ns: abc\n", "host/box.yaml: rb_visit_ns: 'abc' was given; allowed is a number from 0 to 1e+09"),
        ("rb_visit_ns: -3\n", "host/box.yaml: rb_visit_ns: -3 was given; allowed is a number from 0 to 1e+09"),
        ("rb_visit_ns: \udcff\n", "host/box.yaml: is no UTF-8 text"),
    ],
)
def test_a_bad_file_of_ones_own(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "box.yaml").write_bytes(text.encode(errors="surrogateescape"))
    argv = ["--config-dir", str(tmp_path)]
    with pytest.raises(ScenarioError) as refusal:
        compose([*argv, "host=box"])
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)
    by_the_grid = composed(*argv, "grid.host=[box]")
    with pytest.raises(ScenarioError, match=re.escape(told)):
        plan_of(by_the_grid.config, by_the_grid.library)
    other = composed(*argv, "host=high")  # which nobody's business it is
    assert len(plan_of(other.config, other.library)) > 1
    assert "box" in other.library.host


@pytest.mark.parametrize("said", ['"32:1"', "1:0.9,32:0.1"])
def test_a_mix_of_sizes_is_a_text(tmp_path: Path, said: str) -> None:
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "mine.yaml").write_text(f"cpus: 4\niova_pages: {said}\n")
    assert grid("--config-dir", str(tmp_path), "+grid=mine")["iova_pages"] == said.strip('"')


@pytest.mark.parametrize("key", ["depot_capacity", "trim_threshold_per_cpu", "magazine_pfns"])
def test_a_bad_depot_of_ones_own(tmp_path: Path, key: str) -> None:
    (tmp_path / "depot").mkdir()
    good = (Path(__file__).parents[2] / "conf/depot/array.yaml").read_text()
    (tmp_path / "depot" / "mine.yaml").write_text(re.sub(f"^{key}: .*", f"{key}: -1", good, flags=re.MULTILINE))
    by_the_grid = composed("--config-dir", str(tmp_path), "grid.policy=[mine]")
    with pytest.raises(ScenarioError, match=f"depot/mine.yaml: {key}: -1 was given; allowed is a whole number from"):
        plan_of(by_the_grid.config, by_the_grid.library)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name: mine\ncpux: [8]\n", "grid/mine.yaml: cpux: unknown key; did you mean cpus?"),
        (b"- 1\n", "grid/mine.yaml: holds no keys; allowed are lines of KEY: VALUE"),
        (b"name: \xff\n", "grid/mine.yaml: is no UTF-8 text"),
        (b"a: [\n", "grid/mine.yaml: cannot be read as YAML"),
        (b"iova_pages: [1, 32:1]\n", "32:1 was given in line 1, which YAML reads as a number in base 60; allowed is"),
        (b"name: m\nseed: 1:30\n", "grid/mine.yaml: 1:30 was given in line 2, which YAML reads as a number in base 60"),
        (b"cpus: &a [*a]\n", "grid/mine.yaml: holds a value that contains itself or is nested too deeply"),
        (b"defaults: [other]\n", "defaults: 'other' was given; there is no file grid/other.yaml"),
    ],
)
def test_a_bad_grid_of_ones_own(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "mine.yaml").write_bytes(content)
    with pytest.raises(ScenarioError) as refusal:
        compose(["--config-dir", str(tmp_path), "+grid=mine"])
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_points_of_a_grid_from_the_command_line() -> None:
    point = {"cpus": 2, "name": "a"}
    assert grid("grid.points=[{cpus:2,name:a}]")["points"] == [point]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["gird.cpus=[8]"], "gird: unknown key; did you mean grid?"),
        (["grid.cpsu=[8]"], "grid.cpsu: unknown key; did you mean cpus?"),
        (["exectuor=inline"], "exectuor: unknown key; did you mean executor?"),
        (["+grid=lage"], "grid: 'lage' was given; allowed are ci, incidents, large, small, smoke"),
        (["host=hihg"], "host: 'hihg' was given; allowed are"),
        (["cluster.cpus=abc"], "cluster.cpus: Value 'abc'"),
        (["cluster.cpus=two"], "could not be converted to Integer; allowed is a whole number or null"),
        (["cluster.cpus=0"], "cluster.cpus: 0 was given; allowed is a whole number from 1"),
        (["cluster.cpus=-1", "executor=inline"], "cluster.cpus: -1 was given; allowed is a whole number from 1"),
        (["cluster.address=here"], "cluster.address: 'here' was given; allowed are local, auto and HOST:PORT"),
        (["host.rb_visit_ns=abc"], "host.rb_visit_ns: Value 'abc'"),
        (["grid.cpus=[8"], "'grid.cpus=[8' was given; it cannot be read"),
        (["grid.cpus=8,16"], "grid.cpus: '8,16' was given; a list stands in brackets: grid.cpus=[8,16]"),
        (["mode=full,refine"], "mode: 'full,refine' was given; allowed is one"),
        (["baseline=check,update"], "baseline: 'check,update' was given; allowed is one"),
        (["workload.hz=100,250"], "hz: '100,250' was given; allowed is one; several are an axis, grid.hz=[100,250]"),
        (["grid.name=null"], "grid.name: 'null' was given; allowed is a text"),
        (["grid.name=[a]"], "grid.name: '[a]' was given; allowed is a text"),
        (["grid.points=5"], "grid.points: '5' was given; allowed is a list of points, [{COLUMN: VALUE,"),
        (["grid.points=[1]"], "grid.points: '[1]' was given; allowed is a list of points, [{COLUMN: VALUE,"),
        (["grid.points={a:1}"], "grid.points: '{a:1}' was given; allowed is a list of points, [{COLUMN: VALUE,"),
        (["grid.cpus=???"], "grid.cpus: '???' was given; allowed is a value, a list, {start, stop, num} or null"),
        (["dry_run=null"], "dry_run: 'null' was given; allowed are true and false"),
        (["host.sources=5"], "host.sources: '5' was given; allowed are keys with a value each, {KEY: VALUE}"),
        ([f"grid.cpus={'[' * 500}{']' * 500}"], "a value that contains itself or is nested too deeply"),
        (["--config-name"], "argument --config-name/-cn: expected one argument"),
        (["~grid.cpsu"], "grid.cpsu: unknown key; did you mean cpus?"),
        (["+grid=ünï"], "grid: 'ünï' was given; allowed are ci, incidents, large, small, smoke"),
        (["dry_run=true", "point=x"], "dry_run: given beside point"),
        (["mode=refine", "point=x"], "mode: given beside point"),
        (["point=x", "store=s"], "store: given beside point"),
        (["point=x", "executor=inline"], "executor: given beside point"),
        (["report=false", "point=x"], "report: given beside point"),
        (["point=x", "quiet=true"], "quiet: given beside point"),
        (["cluster.cpus=2", "point=x"], "cluster.cpus: given beside point"),
        (["+grid=smoke", "-m"], "-m: a sweep expands its grid itself"),
        (["+grid=smoke,small"], "grid: 'smoke,small' was given; allowed is one"),
        (["+grid=[smoke,small]"], "grid: '[smoke,small]' was given; allowed is one"),
        (["host=low,high"], "host: 'low,high' was given; allowed is one; several are an axis, grid.host=[...]"),
        (["host=[low,high]"], "host: '[low,high]' was given; allowed is one; several are an axis, grid.host=[...]"),
        (["dry_run=maybe"], "dry_run: 'maybe' was given; allowed are true and false"),
        (["cluster.dashboard=maybe"], "cluster.dashboard: 'maybe' was given; allowed are true and false"),
        (["--multirun"], "--multirun: a sweep expands its grid itself"),
        (["hydra.mode=MULTIRUN"], "a sweep expands its grid itself"),
        (["--foo"], "unrecognized arguments: --foo"),
        (["--config-dir", "/nonexistent"], "'/nonexistent' not found"),
        (["--config-dir", "/nonexistent"], "--config-dir: '/nonexistent' not found; allowed is the path of a folder"),
        (["+grid=small", "+grid=large"], "grid: 'large' was given beside another; allowed is one"),
        (["+host=low"], "host: 'low' was given with +, as one more; allowed is one, host=low"),
        (["points=a.csv", "host=low"], "host: given beside points"),
        (["points=a.csv", "grid.cpus=[8]"], "grid.cpus: given beside points"),
        (["host=low", "grid.host=[high]"], "host: given, but grid small names its own"),
        (["+grid=smoke", "workload.unmap_burst=8"], "given, but grid smoke names its own; use grid.unmap_burst=[...]"),
        (["+grid=smoke", "workload.unmap_burst=8", "workload.hz=100"], "workload.unmap_burst: given, but grid smoke"),
        (["+grid=smoke", "host.rb_visit_ns=80", "grid.rb_visit_ns=12"], "host.rb_visit_ns: given, but grid smoke"),
        (["+grid=smoke", "workload.unmap_rate_per_s=9"], "names its own; use grid.burst_period_us=[...]"),
        (["+grid=incidents", "workload.cpus=8"], "workload.cpus: given, but grid incidents names its own in each of"),
        (["points="], "points: an empty text was given"),
        (["+foo.bar=1"], "foo: unknown key; known are grid,"),
        (["++exectuor=inline"], "exectuor: unknown key; did you mean executor?"),
        (["+grid.cpsu=8"], "grid.cpsu: unknown key; did you mean cpus?"),
        (["+cluster.foo=1"], "cluster.foo: unknown key; known are address,"),
    ],
)
def test_refusals_are_one_sentence(argv: list[str], told: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        compose(argv)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def planned(*argv: str) -> Plan:
    both = composed(*argv)
    return plan_of(both.config, both.library)


OPEN = ("grid.iova_pages=null", "grid.unmap_burst=null")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["workload=full_4g"], "workload: without effect in iova_pages, unmap_burst, in_flight, which grid small sets"),
        (["+grid=smoke", "workload=scsi_128k_read"], "unmap_burst, burst_period_us, in_flight, which grid smoke sets"),
        (["+grid=incidents", "workload=full_4g"], "which grid incidents sets itself in each of its points"),
        (["workload=full_4g", *OPEN], "in in_flight, which grid small sets itself; empty them (grid.in_flight=null)"),
        (["workload=full_4g", *OPEN, "grid.in_flight=[256,300]"], "without effect in in_flight, which grid small"),
        (["grid.workload=[full_4g]", *OPEN], "grid.workload=full_4g: without effect in in_flight, which grid small"),
    ],
)
def test_a_workload_counts_or_is_refused(argv: list[str], told: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        planned(*argv)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("argv", "in_flight"),
    [
        (["workload=full_4g", *OPEN, "grid.in_flight=null"], {256}),
        (["grid.workload=[full_4g]", *OPEN, "grid.in_flight=[256,300]"], {256, 300}),
    ],
)
def test_what_the_default_grid_leaves_open_is_the_workload_s(argv: list[str], in_flight: set[int]) -> None:
    plan = planned(*argv)
    rows = plan.rows(np.arange(len(plan)))
    assert ({*rows["iova_pages"]}, {*rows["unmap_burst"]}, {*rows["in_flight"]}) == ({"16"}, {192}, in_flight)
    assert len({*rows["burst_period_us"]}) == 3


def test_large_is_large() -> None:
    large = composed("+grid=large")
    assert len(plan_of(large.config, large.library)) >= 100_000
