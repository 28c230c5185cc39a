"""FNV-1a-64 of 64-bit words, little-endian, without a Python loop over the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

OFFSET = 0xCBF29CE484222325
PRIME = 0x100000001B3


def fnv1a(words: Sequence[int] | np.ndarray) -> int:
    """The hash of ``words`` (each below 2^64). Source: RFC 9923 (Fowler, Noll, Vo).

    h <- (h ^ byte) * PRIME is h <- (h + d) * PRIME with d = (low ^ byte) - low, which only the low byte of h
    decides; so the hash is a sum of d times powers of PRIME, once all low bytes are known. Bit k of the low
    byte follows from the bits below it and a running xor.
    """
    data = np.asarray(words, dtype="<u8").view(np.uint8)
    if not data.size:
        return OFFSET
    mixed = np.zeros(data.size, np.uint8)  # low byte of h ^ byte
    for bit in range(8):
        carried = mixed * np.uint8(PRIME & 0xFF) >> np.uint8(bit) & np.uint8(1)
        flips = (data >> np.uint8(bit)) & np.uint8(1)
        flips[1:] ^= carried[:-1]
        flips[0] ^= (OFFSET >> bit) & 1
        mixed |= np.bitwise_xor.accumulate(flips) << np.uint8(bit)
    deltas = mixed.astype(np.int64) - (mixed ^ data)
    powers = np.multiply.accumulate(np.full(data.size, PRIME, np.uint64))
    total = int((deltas.astype(np.uint64) * powers[::-1]).sum(dtype=np.uint64))
    return (OFFSET * int(powers[-1]) + total) & (1 << 64) - 1
