"""scenario_key: what a scenario is, in 16 bytes.

A hash of every scenario column but the id, of the depot columns behind the policy's name, and of the model's
version: equal keys mean equal results. Keys are held as numpy arrays of S16, and written as 32 hex digits.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from workers import MODEL_VERSION
from workers.schema import DEPOT_COLUMNS, SCENARIO_COLUMNS, Columns

KEY = np.dtype("S16")
KEY_COLUMNS = tuple(c for c in (*SCENARIO_COLUMNS, *DEPOT_COLUMNS) if c.name != "id")


def scenario_keys(content: Columns, version: str = MODEL_VERSION) -> np.ndarray:
    """The key of each row, shape (rows,). ``content``: scenario and depot columns, shapes (rows,)."""
    rows = len(content["cpus"])
    fields = [_bytes(content[c.name], c.kind, rows) for c in KEY_COLUMNS]
    table = np.concatenate(fields, axis=1).tobytes()
    width = len(table) // max(rows, 1)
    # who a key is for: the same values of other columns, or for another model, are another scenario
    person = blake2b("\0".join([version, *(c.name for c in KEY_COLUMNS)]).encode(), digest_size=16).digest()
    every = memoryview(table)
    digests = (blake2b(every[at : at + width], digest_size=16, person=person).digest() for at in _starts(rows, width))
    return np.frombuffer(b"".join(digests), KEY)


def _starts(rows: int, width: int) -> range:
    return range(0, rows * width, width) if rows else range(0)


def _bytes(values: np.ndarray, kind: type, rows: int) -> np.ndarray:
    """A column as bytes, shape (rows, 8 or 16): numbers as they are, texts by a hash of each."""
    if kind is str:
        digests = _Digests()
        return np.frombuffer(b"".join([digests[text] for text in values.tolist()]), np.uint8).reshape(rows, 16)
    number = np.float64 if kind is float else np.int64
    return (np.ascontiguousarray(values, number) + 0).view(np.uint8).reshape(rows, 8)  # + 0: -0.0 is 0.0


class _Digests(dict[str, bytes]):
    """The hash of each distinct text."""

    def __missing__(self, text: str) -> bytes:
        return self.setdefault(text, blake2b(str(text).encode(), digest_size=16).digest())


def to_hex(keys: np.ndarray) -> list[str]:
    """Keys as texts of 32 hex digits."""
    text = keys.tobytes().hex()
    return [text[at : at + 32] for at in range(0, len(text), 32)]


def from_hex(texts: Iterable[str]) -> np.ndarray:
    """Keys from their hex digits; ValueError where a text holds none."""
    return np.frombuffer(bytes.fromhex("".join(texts)), KEY)
