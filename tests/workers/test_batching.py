"""A scenario's results are the same bits alone, in any batch, in any order, and on a re-run.

Of the crowd the model settles six in seven event by event, one after the other; so it runs once more, and more of it,
all in slices, where batches are made.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import in_slices
from tests.workers.scenarios import POLICIES, table
from workers import task
from workers.schema import Columns

LANES, FOLLOWED = 640, 160
"""Of the crowd in slices, and of that as the model does."""

WATCHED = (0, 1, 7, 100, 159, 383, 384, 500, 639)


def draw_row(number: int) -> dict:
    rng = random.Random(number)
    cpus = rng.choice((1, 2, 3))
    burst = rng.choice((1, 30, 200, 300))
    return {
        "id": str(number),
        "cpus": cpus,
        "active_cpus": rng.randint(1, cpus),
        "unmap_burst": burst,
        "in_flight": rng.randint(burst, 3 * burst),
        "burst_period_us": rng.choice((2_000.0, 5_000.0)),
        "iova_pages": rng.choice(("1", "16", "64", "1,8", "16:0.3,64:0.7", "1,3,32,200,1024")),
        "phase": rng.choice(("random", "aligned")),
        "free_cpu_shift": rng.choice((0, 1)),
        "dma32_first": rng.random() < 0.7,
        "strict": rng.random() < 0.1,
        "hz": rng.choice((250, 1000)),
        "policy": rng.choice(POLICIES),
        "rb_visit_ns": rng.choice((12.0, 150.0)),
        "fq_entry_remote_ns": rng.choice((60.0, 60_000.0)),
        "seed": rng.randrange(2**40),
        "horizon_s": rng.choice((0.0205, 0.0305, 0.0405)),
    }


def draw_crowd(lanes: int) -> Columns:
    return table([draw_row(number) for number in range(lanes)])


def rows_of(columns: Columns, rows) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def assert_same_bits(ours: Columns, theirs: Columns) -> None:
    assert list(ours) == list(theirs)
    for name in ours:
        if ours[name].dtype == object:
            assert ours[name].tolist() == theirs[name].tolist(), name
        else:
            assert ours[name].tobytes() == theirs[name].tobytes(), name


WAYS = {"as the model does": (task.simulate, FOLLOWED), "in slices": (in_slices.simulate, LANES)}
CROWDS = {way: draw_crowd(lanes) for way, (_, lanes) in WAYS.items()}


@pytest.fixture(scope="module", params=WAYS)
def way(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def simulate(way) -> Callable[[Columns], Columns]:
    return WAYS[way][0]


@pytest.fixture(scope="module")
def crowd(way) -> Columns:
    return CROWDS[way]


@pytest.fixture(scope="module")
def together(simulate, crowd) -> Columns:
    return simulate(crowd)


def test_the_crowd_reaches_what_could_differ(together):
    assert set(together["verdict"]) >= {"ok", "chained"}
    for name in ("callback_count", "rbtree_erases", "rbtree_walk_steps", "depot_magazines_peak", "iotlb_flushes"):
        assert (together[name] > 0).mean() >= 50 / 640, name


@pytest.mark.parametrize("lane", WATCHED)
def test_alone(simulate, crowd, together, lane):
    lane %= len(crowd["cpus"])
    assert_same_bits(simulate(rows_of(crowd, [lane])), rows_of(together, [lane]))


@pytest.mark.parametrize("pair", [(0, 639), (639, 0), (100, 383), (7, 8)])
def test_in_pairs(simulate, crowd, together, pair):
    lanes = [lane % len(crowd["cpus"]) for lane in pair]
    assert_same_bits(simulate(rows_of(crowd, lanes)), rows_of(together, lanes))


def test_in_another_order_and_size(simulate, crowd, together):
    order = np.random.default_rng(1).permutation(len(crowd["cpus"]))[1:]
    assert_same_bits(simulate(rows_of(crowd, order)), rows_of(together, order))


def test_again(way, simulate, together):
    assert_same_bits(simulate(draw_crowd(WAYS[way][1])), together)


def test_a_lane_that_is_done_waits_for_the_others(simulate):
    # its timer is due at 40 ms, a tick and the horizon
    done = draw_row(0) | {"cpus": 2, "active_cpus": 1, "unmap_burst": 300, "in_flight": 565, "hz": 250}
    done |= {"burst_period_us": 5_000.0, "phase": "aligned", "iova_pages": "1,8", "strict": False, "horizon_s": 0.04}
    others = [draw_row(number) | {"horizon_s": 0.06} for number in range(1, 12)]
    crowd = table([done, *others])
    assert_same_bits(simulate(rows_of(crowd, [0])), rows_of(simulate(crowd), [0]))


def test_the_seed_matters(simulate, crowd, together):
    some = rows_of(crowd, list(range(20)))
    other = simulate(some | {"seed": some["seed"] + 1})
    assert (other["ops_completed"] != together["ops_completed"][:20]).any()
