"""The command: files that the farm takes, warnings, refusals."""

from __future__ import annotations

import errno
import io
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from sweep.command import exit_code
from sweep.compose import compose
from sweep.config import COST_NAMES
from sweep.run import plan_of
from sweep.storage.local import LocalStorage
from sweep.workload.__main__ import main
from sweep.workload.estimate import LOW, estimate
from sweep.workload.measure import measure
from tests.sweep.workload.recorded import Event, Load, events, text
from workers.points import read_points
from workers.schema import parse_iova_pages

LOAD = Load(cpus=4, sizes=(1, 32), weights=(0.7, 0.3), burst=16, period_us=2000, in_flight=64, shift=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(name: str = "host1.trace.txt", load: Load = LOAD, more: str = "", form: str = "ftrace") -> tuple[Event, ...]:
    made = events(load, 0.2)
    Path(name).write_text(text(made, form) + more)
    return made


def test_the_files_are_what_the_farm_takes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record()
    assert main(["host1.trace.txt", "-o", "mine"]) == 0
    said = capsys.readouterr().out
    assert "workload: mine/workload/host1.yaml" in said
    assert "points:   mine/host1.csv" in said
    assert "run it:   python -m sweep points=mine/host1.csv" in said
    rows = read_points("mine/host1.csv")
    assert rows["id"].tolist() == ["host1-array", "host1-list"]
    assert rows["cpus"].tolist() == [96, 96]
    assert rows["active_cpus"].tolist() == [4, 4]
    assert rows["unmap_burst"].tolist() == [16, 16]
    assert rows["free_cpu_shift"].tolist() == [1, 1]
    grid = Path("mine/grid/g.yaml")
    grid.parent.mkdir()
    grid.write_text("name: g\ncpus: [8, 64]\npolicy: [array, list]\n")
    composed = compose(["--config-dir", "mine", "+grid=g", "workload=host1"])
    assert composed is not None
    plan = plan_of(composed.config, composed.library).rows(np.arange(4))
    for name in ("iova_pages", "unmap_burst", "burst_period_us", "in_flight", "free_cpu_shift", *COST_NAMES):
        assert plan[name].tolist() == [rows[name][0]] * 4


def test_the_command_that_varies_the_load_takes_all_of_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record()
    assert main(["host1.trace.txt", "-o", "mine"]) == 0
    line = capsys.readouterr().out.partition("vary it:  python -m sweep ")[2].partition("\n")[0]
    composed = compose(shlex.split(line))
    assert composed is not None
    plan = plan_of(composed.config, composed.library)
    rows, measured = plan.rows(np.arange(len(plan))), read_points("mine/host1.csv")
    for name in ("iova_pages", "unmap_burst", "in_flight", "free_cpu_shift"):
        assert {*rows[name]} == {*measured[name]}


def test_a_name_that_conf_has_would_make_the_folder_unusable(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record("nvme_128k_seq.txt")
    record("host1.txt")
    before = sorted(here.rglob("*"))
    for argv, name in (["nvme_128k_seq.txt"], "nvme_128k_seq"), (["host1.txt", "--name", "full_4g"], "full_4g"):
        assert exit_code("sweep.workload", main, [*argv, "-o", "mine"]) == 2
        told = f"sweep.workload: --name: {name!r} is a workload of conf/; give another --name\n"
        assert capsys.readouterr().err == told
    assert sorted(here.rglob("*")) == before


def test_every_figure_of_the_file_has_a_source(here: Path) -> None:
    record()
    assert main(["host1.trace.txt"]) == 0
    said = yaml.safe_load(Path("results/workloads/workload/host1.yaml").read_text())
    sources = said.pop("sources")
    assert sources.keys() == said.keys()
    assert sources["unmap_burst"].startswith("measured, confidence high: ")
    assert all("host1.trace.txt" in source for source in sources.values())


@pytest.mark.parametrize("name", ["${oc.env:HOME} x.txt", "a\"b: {c} # '\n- d.txt", "\U0001f600\udc80\u2028.txt"])
def test_no_file_name_becomes_configuration(name: str, here: Path) -> None:
    record(name)
    assert main([name, "--name", "n", "-o", "mine"]) == 0
    said = yaml.safe_load(Path("mine/workload/n.yaml").read_text())
    assert said.keys() == {"iova_pages", "unmap_burst", "burst_period_us", "in_flight", "free_cpu_shift", "sources"}
    composed = compose(["--config-dir", "mine", "workload=n", "points=null"])
    assert composed is not None
    assert composed.config.workload.unmap_burst == 16
    assert str(Path.home()) not in str(composed.config.workload.sources)


def test_what_a_reader_must_know_is_printed_and_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(more="CPU:3 [LOST 9999 EVENTS]\nfio-1 [000] 9.9: unmap: IOMMU: iova=0x\x1b[31m: {x} # !!python\n")
    assert main(["host1.trace.txt", "--name", "n1"]) == 0
    said = capsys.readouterr().out
    assert "warning: 1 of " in said
    assert "warning: the tracer lost 9999 events" in said
    assert "\x1b" not in said
    kept = Path("results/workloads/workload/n1.yaml").read_text()
    assert "\x1b" not in kept
    assert "# the tracer lost 9999 events" in kept
    assert "% of the events were lost" in yaml.safe_load(kept)["sources"]["in_flight"]


def test_ring_buffers_that_were_overwritten(here: Path) -> None:
    record("t")
    Path("t").write_text(Path("t").read_text().replace("entries-written: 9/9", "entries-written: 9/99"))
    found = estimate(measure("t"), "t")
    assert any("no longer held 90 older events" in warning for warning in found.warnings)
    assert found.figures["in_flight"].confidence == LOW


def test_sizes_that_are_no_pages_and_many_of_them(here: Path) -> None:
    made = record()
    odd = [(t, c, u, a, 4096 * (1 + i % 20) - 96) for i, (t, c, u, a, _) in enumerate(made)]
    Path("t").write_text(text(odd, "perf"))
    found = estimate(measure("t"), "t")
    assert any("of no whole number of 4-KiB pages" in warning for warning in found.warnings)
    assert parse_iova_pages(str(found.figures["iova_pages"].value))[0] == (1, 2, 4, 8, 16, 32)


def test_idle_cpus_do_not_count(here: Path) -> None:
    made = record()
    Path("t").write_text(text([*made, (made[-1][0], 9, True, 4096, 4096)], "perf"))
    found = estimate(measure("t"), "t")
    assert (found.value("active_cpus"), found.value("cpus")) == (4, 10)


def test_few_cpus_unmap_what_many_map(here: Path) -> None:
    made = [(t, c % 2 if u else c, u, a, s) for t, c, u, a, s in record()]
    Path("t").write_text(text(made, "perf"))
    found = estimate(measure("t"), "t")
    assert "4 CPUs map and 2 unmap; a scenario has one number: that of those that unmap" in found.warnings
    assert found.figures["free_cpu_shift"].confidence == LOW


def test_unmaps_of_one_moment_are_a_load_too(here: Path) -> None:
    made = [(1_000_000 * unmap, 0, unmap, 4096 * iova, 4096) for unmap in (False, True) for iova in range(1, 31)]
    Path("t").write_text(text(made, "perf"))
    found = estimate(measure("t"), "t")
    assert found.value("unmap_burst") * 1e6 / found.value("burst_period_us") == pytest.approx(30 / 1e-3, rel=0.01)


def test_the_number_of_cpus_may_be_given(here: Path) -> None:
    record(form="perf")
    assert main(["host1.trace.txt", "--cpus", "128"]) == 0
    assert read_points("results/workloads/host1.csv")["cpus"].tolist() == [128, 128]


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_the_files_of_another_trace_are_kept(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, load in ("h1", LOAD), ("h2", replace(LOAD, burst=8)):
        Path(folder).mkdir()
        record(f"{folder}/trace.txt", load)
    assert main(["h1/trace.txt", "-o", "mine"]) == 0
    before = everything()
    told = f"--name: 'trace' was given; {here}/mine holds a workload/trace.yaml that is not of this trace; give another"
    for trace in "h2/trace.txt", "-":
        with open("h2/trace.txt", "rb") as piped:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(piped))
            assert exit_code("sweep.workload", main, [trace, "-o", "mine"]) == 2
        assert told in capsys.readouterr().err
    assert everything() == before
    assert main(["h1/trace.txt", "-o", "mine", "--cpus", "128"]) == 0  # the same one again, as a warning may ask for
    assert everything() != before
    Path("mine/own.csv").write_text("id,cpus\n")
    assert exit_code("sweep.workload", main, ["h2/trace.txt", "-o", "mine", "--name", "own"]) == 2
    assert "holds a own.csv that is not of this trace" in capsys.readouterr().err
    assert Path("mine/own.csv").read_text() == "id,cpus\n"


@pytest.mark.parametrize("full", [False, True])
def test_where_one_file_cannot_be_written_the_other_is_not_there(
    full: bool, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record()
    written = LocalStorage.write

    def fills_up(self: LocalStorage, name: str, data: bytes) -> None:
        if name.endswith(".csv"):
            raise OSError(errno.ENOSPC, "No space left on device")
        written(self, name, data)

    if full:
        monkeypatch.setattr(LocalStorage, "write", fills_up)
    else:
        Path("mine/host1.csv").mkdir(parents=True)
    before = everything()
    assert exit_code("sweep.workload", main, ["host1.trace.txt", "-o", "mine"]) == 2
    assert f"--output: {here}/mine cannot be written ({'No space' if full else 'Is a dir'}" in capsys.readouterr().err
    assert everything() == before


def test_standard_input_has_a_name(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record()
    with open("host1.trace.txt", "rb") as piped:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(piped))
        assert main(["-", "-o", "mine"]) == 0
    assert "workload: mine/workload/trace.yaml" in capsys.readouterr().out


MAPS = "fio 1 [0] 1.0: iommu:map: IOMMU: iova=0x0000000000001000 paddr=0x0000000000001000 size=4096\n"
TWO = MAPS + "fio 1 [7] 2.0: iommu:unmap: IOMMU: iova=0x0000000000001000 size=4096 unmapped_size=4096\n"
ONE = "fio 1 [0] 1.0: iommu:unmap: IOMMU: iova=0x0000000000001000 size=4096 unmapped_size=4096\n"


@pytest.mark.parametrize(
    ("content", "argv", "told"),
    [
        ("", [], "t was given; it is empty"),
        ("dear diary\n" * 9, [], "none of its 9 lines is an iommu:map or iommu:unmap event"),
        (MAPS * 3, [], "is an iommu:unmap event, which sizes and rates come from"),
        (ONE, [], "all its events have one time"),
        (None, [], "t was given; it cannot be read (No such file or directory)"),
        (TWO, ["--cpus", "0"], "cpus: 0 was given; allowed is a whole number from 1 to 4096"),
        (TWO, ["--cpus", "4"], "cpus: 4 was given; the trace has events of CPU 7"),
        (TWO, ["--name", "../x"], "--name: '../x' was given; allowed are letters"),
        (TWO, ["-o", "t/x"], "--output: "),
        (TWO, ["-o", "s3://b/x"], "--output: 's3://b/x' was given; allowed is the path of a folder"),
        (TWO, ["--cpus", "many"], "argument --cpus: invalid int value: 'many'; see --help"),
    ],
    ids=range(11),
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    content: str | None, argv: list[str], told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("t").write_text(content)
    before = sorted(here.rglob("*"))
    assert exit_code("sweep.workload", main, ["t", *argv]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.startswith("sweep.workload: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(here.rglob("*")) == before


def test_the_trace_itself_is_never_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("db7.csv").write_text(TWO)
    assert exit_code("sweep.workload", main, ["db7.csv", "--cpus", "64", "-o", "."]) == 2
    told = f"db7.csv was given; output {here} would replace it by the db7.csv that is written there; give another"
    assert told in capsys.readouterr().err
    assert ([path.name for path in here.iterdir()], Path("db7.csv").read_text()) == (["db7.csv"], TWO)


def test_the_help_shows_how_to_record(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for needed in ("perf record -a -e iommu:map -e iommu:unmap", "trace-cmd record", "--cpus", "Exit codes: 0"):
        assert needed in said
