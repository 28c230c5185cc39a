"""scenario_key: the same for the same content, another for anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.store.keys import KEY_COLUMNS, from_hex, scenario_keys, to_hex
from tests.sweep.contents import contents
from workers.schema import Column


def changed(column: Column, values: np.ndarray) -> np.ndarray:
    if column.kind is bool:
        return ~values
    return np.array([f"{v}x" for v in values], object) if column.kind is str else values + 1


@pytest.mark.parametrize("column", KEY_COLUMNS, ids=lambda column: column.name)
def test_every_column_counts(column: Column) -> None:
    content = contents(0, 5)
    other = content | {column.name: changed(column, content[column.name])}
    assert not set(scenario_keys(content)) & set(scenario_keys(other))


def test_the_id_does_not_count_and_the_model_s_version_does() -> None:
    content = contents(0, 1)
    assert (scenario_keys(content) == scenario_keys(content | {"id": np.array(["a", "b"], object)})).all()
    assert not (scenario_keys(content, "1") == scenario_keys(content, "2")).any()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.randoms())
def test_a_row_s_key_does_not_hang_on_its_neighbours(seeds: list[int], random: object) -> None:
    alone = {seed: scenario_keys(contents(seed))[0] for seed in set(seeds)}
    assert scenario_keys(contents(*seeds)).tolist() == [alone[seed] for seed in seeds]
    assert len(set(alone.values())) == len(alone)


def test_minus_zero_is_zero_and_a_type_wider_is_the_same() -> None:
    zero, minus = contents(0), contents(0)
    zero["rb_visit_ns"], minus["rb_visit_ns"] = np.array([0.0]), np.array([-0.0])
    assert scenario_keys(zero) == scenario_keys(minus)
    assert scenario_keys(contents(3)) == scenario_keys(contents(3) | {"seed": np.array([3], np.int32)})


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_hex_and_back(keys: list[bytes]) -> None:
    texts = [key.hex() for key in keys]
    assert to_hex(from_hex(texts)) == texts
