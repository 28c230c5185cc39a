"""The names of storages, and of the files in them: what comes from input cannot name a place outside."""

from __future__ import annotations

PART = ".part"
"""Ends the name of a file that is being written."""


def is_remote(url: str) -> bool:
    """Whether that is an object store's, and not the path of a folder."""
    return "://" in url


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
