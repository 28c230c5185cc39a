"""What both renderers do to a text before they escape it."""

from __future__ import annotations


def shown(text: str) -> str:
    """``text`` with U+FFFD for what no page can hold: control characters but for line feeds and tabs, surrogates."""
    return "".join("\ufffd" if _unfit(character) else character for character in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same, with each run of white space as one space: no text can begin a new line, and so a new block."""
    return " ".join(shown(text).split())


def _unfit(character: str) -> bool:
    code = ord(character)
    return (code < 0x20 and character not in "\n\t") or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000
