"""xorshift64 (Marsaglia 2003), from which the reference machine draws phases and sizes, for many numbers at once."""

from __future__ import annotations

from functools import cache

import numpy as np

_START = 88172645463325252
_WARM_UP = 10


def seeded(seeds: np.ndarray) -> np.ndarray:
    """The machine's state (n,) for each of ``seeds`` (n,), uint64, before it draws its first number."""
    state = np.uint64(_START) ^ ((seeds * np.uint64(7919) + np.uint64(1)) * np.uint64(2654435761))
    return jump(state, np.full(len(seeds), _WARM_UP))


def step(x: np.ndarray) -> np.ndarray:
    """The next state of each, uint64 of any shape."""
    x = x ^ (x << np.uint64(13))
    x = x ^ (x >> np.uint64(7))
    return x ^ (x << np.uint64(17))


def uniform(state: np.ndarray) -> np.ndarray:
    """The number in [0, 1) that each state stands for, same shape."""
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def jump(state: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """``state`` (n,) after ``steps`` (n,) steps."""
    for power in range(int(steps.max(initial=0)).bit_length()):
        by = ((steps >> power) & 1).astype(bool)
        if by.any():
            state = np.where(by, _apply(_columns(power), state), state)
    return state


@cache
def _columns(power: int) -> np.ndarray:
    """The columns (64,) of the step's matrix over GF(2), raised to 2^power."""
    if power == 0:
        return step(np.uint64(1) << np.arange(64, dtype=np.uint64))
    half = _columns(power - 1)
    return _apply(half, half)


def _apply(columns: np.ndarray, x: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for bit in range(64):
        out ^= np.where((x >> np.uint64(bit)) & np.uint64(1), columns[bit], np.uint64(0))
    return out
