"""Lines of traces: what is an event, what is damaged, what was lost."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.workload import trace
from sweep.workload.trace import Seen, blocks
from tests.sweep.workload.recorded import Load, events, text
from workers.schema import ScenarioError

MAP = "fio 77 [003] 12.000001: iommu:map: IOMMU: iova=0x00000000fff00000 paddr=0x0000000123400000 size=8192"
UNMAP = "fio-77 [003] d..1. 12.5: unmap: IOMMU: iova=0x00000000fff00000 - 0x00000000fff02000 size=8192 unmapped_size=0"


def read(path: str) -> tuple[list[tuple[int, ...]], Seen]:
    seen, rows = Seen(), []
    for block in blocks(path, seen):
        columns = (block.time_ns, block.cpu, block.unmap, block.iova, block.size_bytes)
        rows += list(zip(*(column.tolist() for column in columns), strict=True))
    return rows, seen


def seen(tmp_path: Path, *lines: str) -> tuple[list[tuple[int, ...]], Seen]:
    path = tmp_path / "t"
    path.write_text("\n".join(lines) + "\n")
    return read(str(path))


def test_events_of_both_kernels(tmp_path: Path) -> None:
    rows, counted = seen(tmp_path, UNMAP, MAP)
    assert rows == [(12_000_001_000, 3, False, 0xFFF00000, 8192), (12_500_000_000, 3, True, 0xFFF00000, 8192)]
    assert (counted.lines, counted.events, counted.damaged) == (2, 2, 0)


@pytest.mark.parametrize("form", ["perf", "perf-ns", "ftrace", "ftrace6", "trace-cmd"])
def test_every_event_is_read_in_small_blocks_too(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = events(Load(cpus=3, sizes=(1, 64), weights=(1, 1), pieces=3), 0.01)
    path = tmp_path / "t"
    path.write_text(text(made, form))
    whole, counted = read(str(path))
    exact = form in ("perf-ns", "trace-cmd")
    wanted = [(t + 5_000_000_000 if exact else (t + 5_000_000_000) // 1000 * 1000, *rest) for t, *rest in made]
    assert whole == wanted
    assert counted.damaged == counted.others == 0
    monkeypatch.setattr(trace, "BLOCK_BYTES", 1000)
    again, pieces = read(str(path))
    assert again == whole
    assert (pieces.events, pieces.lines) == (counted.events, counted.lines)


@pytest.mark.parametrize("per_cpu", [False, True])
def test_lines_far_out_of_order_are_refused(per_cpu: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = events(Load(cpus=3), 0.1)
    (tmp_path / "t").write_text(text(sorted(made, key=lambda e: e[1]) if per_cpu else made[::-1], "perf-ns"))
    assert len(read(str(tmp_path / "t"))[0]) == len(made)  # a block is sorted
    monkeypatch.setattr(trace, "BLOCK_BYTES", 30_000)
    with pytest.raises(ScenarioError, match=r"t was given; its lines are not in the order of their times: by line \d+"):
        read(str(tmp_path / "t"))


def test_lines_a_little_out_of_order_are_sorted_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = events(Load(cpus=3), 0.1)
    late = [event for at in range(0, len(made), 20) for event in (*made[at + 10 : at + 20], *made[at : at + 10])]
    (tmp_path / "t").write_text(text(late, "perf-ns"))
    monkeypatch.setattr(trace, "BLOCK_BYTES", 10_000)
    times = [row[0] for row in read(str(tmp_path / "t"))[0]]
    assert times == [event[0] + 5_000_000_000 for event in made]


def test_what_is_no_event_of_ours(tmp_path: Path) -> None:
    rows, counted = seen(
        tmp_path,
        "# tracer: nop",
        "# entries-in-buffer/entries-written: 3/45   #P:256",
        "",
        MAP,
        "\tffffffffa1234567 __iommu_map+0x77 ([kernel.kallsyms])",
        "fio 77 [003] 12.1: sched:sched_switch: prev_comm=x",
        "fio 77 [003] 12.1: iommu:io_page_fault: IOMMU:vfio 0000:01:00.0 iova=0x1 flags=0x0",
        "CPU:3 [LOST 123 EVENTS]",
        "CPU:3 [7 EVENTS DROPPED]",
        "fio 77 [003] 12.1: PERF_RECORD_LOST lost 3880",
        UNMAP.replace("size=8192", "size="),
        MAP[:40],
        "dear diary",
        UNMAP,
    )
    assert len(rows) == 2
    assert (counted.events, counted.others, counted.damaged, counted.lost) == (2, 2, 3, 123 + 7 + 3880)
    assert (counted.cpus, counted.overwritten) == (256, 42)
    assert len(counted.first_damaged) == 3


@pytest.mark.parametrize(
    "line",
    [
        MAP.replace("[003]", "[99999999999999999999]"),
        MAP.replace("12.0", "99999999999999999999.0"),
        MAP.replace("size=8192", "size=99999999999999999999"),
        MAP.replace("0x00000000fff00000", "0xffffffffffffffff"),
        MAP.replace("fff", "xyz"),
        MAP + " and more",
    ],
)
def test_numbers_that_cannot_be_are_damage(line: str, tmp_path: Path) -> None:
    rows, counted = seen(tmp_path, line, UNMAP)
    assert (len(rows), counted.damaged) == (1, 1)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_compressed_and_from_standard_input(
    pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack(f"{MAP}\n{UNMAP}".encode())
    (tmp_path / "t").write_bytes(packed)
    rows, _ = read(str(tmp_path / "t"))
    assert len(rows) == 2

    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(packed))  # type: ignore[arg-type]

    monkeypatch.setattr("sys.stdin", Stdin)
    assert read("-")[0] == rows


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(MAP.encode() * 99)[:-9], "compressed data are damaged"),
        (lzma.compress(MAP.encode() * 99)[:-9], "compressed data are damaged"),
        (b"\x1f\x8b no gzip at all", "compressed data are damaged from the start"),
        (b"PERFILE2\x68\0\0", "a binary recording: give the output of perf script"),
        (b"\x17\x08Dtracing6\0", "a binary recording: give the output of trace-cmd report"),
    ],
)
def test_what_cannot_be_read(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(ScenarioError, match=told):
        read(str(tmp_path / "t"))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_damage_is_told_after_the_lines_that_come_before_it(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    lines = [MAP.replace("12.000001", f"{number}.{number * 7919 % 1000003:06}") for number in range(1, 9000)]
    packed = pack("\n".join(lines).encode())
    (tmp_path / "whole").write_bytes(packed)
    whole, _ = read(str(tmp_path / "whole"))
    assert len(whole) == len(lines)
    (tmp_path / "t").write_bytes(packed[: len(packed) // 2])
    counted = Seen()
    with pytest.raises(ScenarioError, match=r"its compressed data are damaged after line \d+ \(") as told:
        list(blocks(str(tmp_path / "t"), counted))
    assert f"after line {counted.events} (" in str(told.value)
    assert counted.events > len(lines) // 4


def test_no_lines_no_file_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "BLOCK_BYTES", 100_000)
    (tmp_path / "t").write_bytes(b"x" * 200_000)
    with pytest.raises(ScenarioError, match="no text with lines"):
        read(str(tmp_path / "t"))
    with pytest.raises(ScenarioError, match="No such file"):
        read(str(tmp_path / "none"))
    with pytest.raises(ScenarioError, match="Is a directory"):
        read(str(tmp_path))
    (tmp_path / "b").write_bytes(bytes(range(256)) * 9)
    assert read(str(tmp_path / "b"))[1].events == 0
