"""Blocks on a terminal."""

from __future__ import annotations

from sweep.document import Bullets, Code, Column, Figure, Paragraph, Table
from sweep.document.terminal import WIDTH, to_terminal

TABLE = Table("Hosts", (Column("Name"), Column("Rate", True)), (("a", "1"), ("longer", "1,000")), "A note.")


def test_a_table_is_set_in_columns() -> None:
    assert to_terminal((TABLE,)) == "Hosts\nName     Rate\na           1\nlonger  1,000\nA note."


def test_texts_are_wrapped_and_blocks_set_apart() -> None:
    told = to_terminal(
        (Paragraph("word " * 40), Bullets(("one", "two " * 40)), Code("a\nb"), Figure("f", "T", "", "alt"))
    )
    paragraph, bullets, code, shown = told.split("\n\n")
    assert max(map(len, told.splitlines())) <= WIDTH
    assert len(paragraph.splitlines()) == 2
    assert bullets.splitlines()[0] == "- one"
    assert bullets.splitlines()[2].startswith("  two")
    assert (code, shown) == ("    a\n    b", "[T: alt]")


def test_no_text_can_command_the_terminal() -> None:
    hostile = Table("", (Column("x"),), (("\x1b]0;owned\x07\u202e",),))
    assert to_terminal((hostile, Code("\x1b[2J"))) == "x\n?]0;owned??\n\n    ?[2J"
