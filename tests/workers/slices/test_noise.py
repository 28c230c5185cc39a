"""Random numbers: evenly spread, uncorrelated, and the same whatever else is drawn with them."""

from __future__ import annotations

import numpy as np
import pytest

from workers.slices import noise

NUMBER = 1 << 16


def drawn(stream: int = 1, seed: int = 5) -> np.ndarray:
    return noise.uniform(noise.key(np.full(NUMBER, seed, np.uint64), np.arange(NUMBER), stream))


def test_mix_is_splitmix64():
    # the first outputs for seed 0 of the generator's published C code
    golden = 0x9E3779B97F4A7C15
    states = np.array([0, golden], np.uint64)
    assert [hex(v) for v in noise.mix(states)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]


@pytest.mark.parametrize("numbers", [drawn(), drawn(stream=2), drawn(seed=2**63)], ids=["one", "stream", "seed"])
def test_uniform(numbers):
    assert 0 <= numbers.min() < numbers.max() < 1
    counts = np.histogram(numbers, 64, (0, 1))[0]
    chi_squared = ((counts - NUMBER / 64) ** 2 / (NUMBER / 64)).sum()
    assert chi_squared < 63 + 5 * np.sqrt(2 * 63)
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 5 / np.sqrt(NUMBER)


def test_streams_and_seeds_are_independent():
    for other in (drawn(stream=2), drawn(seed=6)):
        assert abs(np.corrcoef(drawn(), other)[0, 1]) < 5 / np.sqrt(NUMBER)


def test_a_number_depends_on_its_key_alone():
    seeds, counters = np.arange(1000, dtype=np.uint64), np.arange(1000)[::-1]
    together = noise.key(seeds, counters, 3)
    assert together[[7]] == noise.key(seeds[[7]], counters[[7]], 3)
    assert (noise.key(seeds[::-1], counters[::-1], 3) == together[::-1]).all()
    assert (noise.normal(together)[::7] == noise.normal(together[::7])).all()


def test_normal_has_mean_0_and_variance_1():
    numbers = noise.normal(noise.key(np.full(NUMBER, 5, np.uint64), np.arange(NUMBER), 4))
    assert abs(numbers.mean()) < 5 / np.sqrt(NUMBER)
    assert abs(numbers.var() - 1) < 0.03
