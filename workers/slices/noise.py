"""Random numbers that depend only on (seed, counter, stream): no lane sees its neighbours.

A stateless generator (splitmix64's finalizer, Steele et al., OOPSLA 2014) in place of numpy's:
lanes advance at their own pace, and a batch's composition must not move any result.
"""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)


class Stream(IntEnum):
    """What a random number decides; each purpose has numbers of its own."""

    FIRST_SIZES = auto()
    FIRST_BELOW_4G = auto()
    SIZES = auto()
    IN_FLIGHT = auto()
    DRAINED = auto()
    FREED = auto()
    CACHED = auto()
    CACHED_ANY_SIDE = auto()
    LOCK_SHARES = auto()
    LOCK_TURNS = auto()
    UNSEALED = auto()


def mix(x: np.ndarray) -> np.ndarray:
    """splitmix64's finalizer on uint64 arrays of any shape (wraps by design)."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX_A
    x = (x ^ (x >> np.uint64(27))) * _MIX_B
    return x ^ (x >> np.uint64(31))


def key(seed: np.ndarray, counter: np.ndarray, stream: int) -> np.ndarray:
    """A uint64 key for each (seed, counter) pair of one stream (``Stream``); shapes broadcast."""
    counter = np.asarray(counter).astype(np.uint64)
    return mix(mix(seed ^ np.uint64(stream * 0x632BE59BD9B4E019 & (1 << 64) - 1)) + counter)


def row_key(seed: np.ndarray, counter: np.ndarray, stream: int, cpu: np.ndarray, size_class: int) -> np.ndarray:
    """The same of a CPU and a size class; both below 2^32."""
    return mix(key(seed, counter, stream) + cpu.astype(np.uint64) + np.uint64(size_class << 32))


def uniform(keys: np.ndarray) -> np.ndarray:
    """Uniform floats in [0, 1) from keys, same shape."""
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(keys: np.ndarray) -> np.ndarray:
    """Near-normal floats (mean 0, variance 1): the sum of the key's four 16-bit words, same shape."""
    total = np.zeros(np.shape(keys))
    for shift in (0, 16, 32, 48):
        total += ((keys >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    return (total / 65536.0 - 2.0 + 2.0**-15) * np.sqrt(3.0)
