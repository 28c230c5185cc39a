"""An IOVA as one number: its pfn and, in the lowest bits, its size class, so that order is the order of numbers."""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence
from typing import TypeAlias

from workers.schema import PFNS_BELOW_4G

CLASS_BITS = 8
CLASS = (1 << CLASS_BITS) - 1
"""Mask of an IOVA's size class."""

HIGH = PFNS_BELOW_4G << CLASS_BITS
"""IOVAs below this number are below 4 GiB."""

Iovas: TypeAlias = MutableSequence[int]
"""IOVAs in a row: those in a magazine, in a ring or in flight."""


def no_iovas(mixed: bool) -> Iovas:
    """An empty row, to be filled: machine words where all have one size and move by the dozen, else a list, which gives
    single ones sooner (``mixed``: each is looked at for its size)."""
    return [] if mixed else array("q")
