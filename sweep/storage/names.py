"""The names of files in a storage: what comes from input cannot name a place outside it."""

from __future__ import annotations

PART = ".part"
"""Ends the name of a file that is being written."""


def checked(name: str) -> str:
    """``name`` itself; raises ValueError where it is no relative path of plain parts joined by ``/``."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable() or name.endswith(PART):
        raise ValueError(f"{name!r} cannot name a file of a sweep")
    return name


def checked_prefix(prefix: str) -> str:
    """``prefix`` itself, the beginning of a name or nothing; raises ValueError as ``checked`` does."""
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix
