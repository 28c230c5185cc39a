"""Replay: every recorded answer, byte for byte, the visit counters included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.reference import recorded
from workers.reference.__main__ import main
from workers.reference.kernels import KERNELS
from workers.reference.replay import FIELDS, TraceError, replay


@pytest.mark.parametrize(("kernel", "trace"), recorded.TRACES)
def test_answers_equal_the_recorded_ones(kernel, trace):
    answers = list(replay(recorded.operations(trace), KERNELS[kernel]))
    expected = recorded.answers(kernel, trace)
    assert len(answers) == len(expected)
    for given, wanted in zip(answers, expected, strict=True):
        assert recorded.alike(given, wanted, trace), f"{given}\n{wanted}"


def test_the_fix_changes_nothing_while_the_depot_has_room():
    """5.15 and 5.15+fix differ in the depot alone: up to the first overflow only the work's counters do."""
    fields = FIELDS.split(",")
    alike = [i for i, name in enumerate(fields) if not name.startswith("work_")]
    pairs = both("5.15", "5.15+fix", "05_timer_drain_64cpu")
    with_room = [(before, after) for before, after in pairs if before["c"][fields.index("rb_erase")] == 0]
    assert len(with_room) > 11_000
    for before, after in with_room[1:]:
        assert before.get("pfn") == after.get("pfn")
        assert [before["c"][i] for i in alike] == [after["c"][i] for i in alike]


def test_the_fix_never_overflows_the_depot():
    (before, after) = both("5.15", "5.15+fix", "04_depot_overflow")[-1]
    erased = FIELDS.split(",").index("rb_erase")
    assert before["c"][erased] > 5_000
    assert after["c"][erased] == 0


def both(one, other, trace):
    operations = recorded.operations(trace)
    pairs = zip(replay(operations, KERNELS[one]), replay(operations, KERNELS[other]), strict=True)
    return [(json.loads(a), json.loads(b)) for a, b in pairs]


@pytest.mark.parametrize(
    "lines",
    [
        ["alloc 0 1 0xfffff 0"],
        [""],
        ["init 0 1"],
        ["init 2 1 hz=0"],
        ["init 2 1 fast"],
        ["init 2 1", "alloc 2 1 0xfffff 0"],
        ["init 2 1", "free 0 @0 1"],
        ["init 2 1", "alloc 0"],
        ["init 2 1", "alloc 0 0 0xfffff 0"],
        ["init 2 1", "jump 1"],
        ["init 2 1", ""],
    ],
)
def test_bad_traces_are_refused_by_line(lines):
    with pytest.raises(TraceError, match=f"line {len(lines)}: "):
        list(replay(lines, KERNELS["6.1"]))


def test_reserved_ranges_are_not_handed_out():
    lines = ["init 1 1", "reserve 0xffff0 0xfffff", "reserve 0xfffe8 0xffff7", "alloc 0 1 0xfffff 0", "state"]
    *_, alloc, state = map(json.loads, replay(lines, KERNELS["6.12"]))
    assert alloc["pfn"] == 0xFFFE7
    assert state["nodes"] == 2  # the second range grew the first
    assert state["node_pages"] == 25


def test_command_line(capsys):
    path = recorded.DATA / "traces" / "13_dma_32bit_first.ops.xz"
    assert main(["replay", "--kernel", "6.12", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == recorded.answers("6.12", "13_dma_32bit_first")


@pytest.mark.parametrize("content", [None, b"alloc 0 1 1 0\n", b"init 1 1\nfree 0 @3 1\n", b"\xff\xfe"])
def test_command_line_refuses_in_one_sentence(tmp_path, content):
    path = tmp_path / "bad.ops"
    if content is not None:
        path.write_bytes(content)
    command = [sys.executable, "-m", "workers.reference", "replay", "--kernel", "5.15", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "command"),
        (["replay", "x.ops"], "--kernel"),
        (["replay", "--kernel", "4.4", "x.ops"], "'4.4'"),
        (["sing"], "'sing'"),
    ],
)
def test_command_line_refuses_bad_arguments_in_one_sentence(capsys, arguments, says):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
