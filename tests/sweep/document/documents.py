"""A document of every kind of block that says one text in every place that a text can be in."""

from __future__ import annotations

from sweep.document import Bullets, Code, Column, Document, Figure, Paragraph, Section, Table

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "]]></title></svg><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "![x](javascript:alert(1)) [x]: javascript:alert(1) <javascript:alert(1)>",
    "a|b\n|-|\n| c |\n\n# d\n- e\n***f***\n```\n~~~",
    "&lt;b&gt; &#60;b&#62; \\<b\\>",
    "\udc80\x00\x1b[31m\u202e",
)
"""What an id, a path or a host's name could be."""


def everywhere(text: str) -> Document:
    """All of it is ``text``, but for the figure's file and its picture."""
    figure = Figure("a-figure", text, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', text, text)
    table = Table(text, (Column(text), Column(text, numeric=True)), ((text, text), (text, text)), text)
    blocks = (Paragraph(text), Bullets((text, text)), Code(text), table, figure)
    return Document(text, blocks, (Section(text, blocks), Section(text, ())))
