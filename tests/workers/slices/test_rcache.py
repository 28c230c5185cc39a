"""CPU caches: many operations at once equal as many single ones, and the kernel's own order of events."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.scenarios import table
from workers.reference.kernels import KERNELS, with_policy
from workers.reference.locks import run_alone
from workers.reference.rcache import IovaDomain
from workers.reference.replay import OneThread
from workers.schema import PFNS_BELOW_4G
from workers.slices import magazines, params, rcache
from workers.slices.state import initial

LOW, HIGH = rcache.LOW, rcache.HIGH
SIZES = st.sampled_from((1, 2, 5, 8))


@st.composite
def caches(draw: st.DrawFn, high: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magazine size (1,), loaded and prev (2, 1): any filling; low pfns only where not ``high``."""
    size = draw(SIZES)

    def magazine() -> np.ndarray:
        low = draw(st.integers(0, size))
        return np.array([[low], [draw(st.integers(0, size - low)) if high else 0]], float)

    return np.array([float(size)]), magazine(), magazine()


def batch(low: int, high: int) -> np.ndarray:
    return np.array([[low], [high]], float)


def uniform(u: float = 0.5) -> np.ndarray:
    return np.array([u])


def inserted_one_by_one(size, loaded, prev, freed):
    """Single inserts, the low ones first: magazines, and what was pushed."""
    pushed, pfns = np.zeros(1), np.zeros((2, 1))
    low, high = freed[:, 0].astype(int)
    for one in [batch(1, 0)] * low + [batch(0, 1)] * high:
        done = rcache.insert(loaded, prev, one, size, uniform())
        loaded, prev = done.loaded, done.prev
        pushed, pfns = pushed + done.pushed, pfns + done.pushed_pfns
    return loaded, prev, pushed, pfns


@given(caches(), st.integers(0, 40), st.integers(0, 40), st.floats(0, 0.999))
def test_many_inserts_equal_single_ones_in_number(cache, low, high, u):
    size, loaded, prev = cache
    freed = batch(low, high)
    done = rcache.insert(loaded, prev, freed, size, uniform(u))
    one_loaded, one_prev, one_pushed, one_pfns = inserted_one_by_one(size, loaded, prev, freed)
    assert done.loaded.sum() == one_loaded.sum()
    assert done.prev.sum() == one_prev.sum()
    assert done.pushed == one_pushed
    assert done.pushed_pfns.sum() == one_pfns.sum() == done.pushed * size
    assert ((done.loaded + done.prev + done.pushed_pfns) == (loaded + prev + freed)).all()
    assert min(part.min() for part in (done.loaded, done.prev, done.pushed_pfns)) >= 0
    assert max(done.loaded.sum(), done.prev.sum()) <= size


@given(caches(high=False), st.integers(0, 60))
def test_many_inserts_of_one_side_equal_single_ones_exactly(cache, low):
    size, loaded, prev = cache
    done = rcache.insert(loaded, prev, batch(low, 0), size, uniform())
    for many, single in zip(done, inserted_one_by_one(size, loaded, prev, batch(low, 0)), strict=True):
        assert (many == single).all()


def one_get(loaded, prev, low_only):
    """__iova_rcache_get() of one pfn, depot apart; the top of a stack of two sides is of the larger one."""
    if not loaded.sum() and prev.sum():
        loaded, prev = prev, loaded
    side = LOW if low_only or loaded[LOW] >= loaded[HIGH] else HIGH
    if not loaded[side]:
        return loaded, prev, False
    loaded = loaded.copy()
    loaded[side] -= 1
    return loaded, prev, True


@given(caches(), st.integers(0, 20), st.booleans(), st.floats(0, 0.999))
def test_many_gets_equal_single_ones_in_number(cache, want, low_only, u):
    _, loaded, prev = cache
    done = rcache.get(loaded, prev, np.array([float(want)]), np.array([low_only]), uniform(u))
    one_loaded, one_prev, taken = loaded, prev, 0
    for _ in range(want):
        one_loaded, one_prev, got = one_get(one_loaded, one_prev, low_only)
        taken += got
    assert done.taken.sum() == taken
    assert (done.loaded.sum(), done.prev.sum()) == (one_loaded.sum(), one_prev.sum())
    assert (done.loaded + done.prev + done.taken == loaded + prev).all()
    assert min(part.min() for part in done) >= 0
    if low_only:
        assert done.taken[HIGH] == 0
        assert (done.loaded[LOW], done.prev[LOW]) == (one_loaded[LOW], one_prev[LOW])


def test_a_poisoned_loaded_magazine_stops_32_bit_gets():
    loaded, prev, want = batch(0, 3), batch(8, 0), np.array([5.0])
    stopped = rcache.get(loaded, prev, want, np.array([True]), uniform())
    assert stopped.taken.sum() == 0
    assert (stopped.loaded == loaded).all()
    assert (stopped.prev == prev).all()
    assert rcache.magazines_wanted(stopped.loaded, stopped.prev, want, np.array([8.0]), np.array([False])) == 0
    free = rcache.get(loaded, prev, want, np.array([False]), uniform())
    assert free.taken.tolist() == [[2.0], [3.0]]


@given(caches(), st.integers(0, 30), st.booleans())
def test_the_depot_is_asked_only_by_empty_caches(cache, want, mixed):
    size, loaded, prev = cache
    asked = rcache.magazines_wanted(loaded, prev, np.array([float(want)]), size, np.array([mixed]))[0]
    if loaded.sum() + prev.sum() or not want:
        assert asked == 0
    else:
        assert asked == (1 if mixed else -(-want // size[0]))


class OneCpu:
    """One CPU and its depot of single pages twice: the model's and the scalar twin's."""

    def __init__(self, kind: str, capacity: int, size: int) -> None:
        scenario = {"cpus": 1, "unmap_burst": 1, "burst_period_us": 1e6, "in_flight": 1 << 20}
        columns = table([scenario | {"policy": "list_untrimmed" if kind == "list" else "array"}])
        columns |= {"depot_capacity": np.array([capacity]), "magazine_pfns": np.array([size])}
        self.params = params.from_columns(columns)
        self.state = initial(self.params)
        kernel = with_policy(KERNELS["5.15"], {name: values[0] for name, values in columns.items()})
        self.twin = IovaDomain(kernel, OneThread(1, 250, 100.0), 1)
        self.next_pfn = {LOW: 1, HIGH: PFNS_BELOW_4G}

    def insert(self, number: int, side: int) -> None:
        freed = np.zeros((2, 1))
        freed[side] = number
        magazines.insert(self.state, self.params, np.array([0]), freed, stream=1)
        for _ in range(number):
            run_alone(self.twin.free_iova_fast(0, self.next_pfn[side], 1))
            self.next_pfn[side] += 1

    def get(self, want: int) -> None:
        taken = magazines.get(self.state, self.params, np.array([0]), np.array([[float(want)]]), stream=2)
        got = sum(bool(run_alone(self.twin._rcache_get(0, 0, PFNS_BELOW_4G - 1))) for _ in range(want))
        assert taken[:, 0].tolist() == [got, 0]

    def assert_equal(self) -> None:
        cpu = self.twin.rcaches[0].cpus[0]
        for magazine, counted in ((cpu.loaded, self.state.row_loaded), (cpu.prev, self.state.row_prev)):
            low = sum(pfn < PFNS_BELOW_4G for pfn in magazine)
            assert counted[:, 0].tolist() == [low, len(magazine) - low]
        depot = self.twin.rcaches[0].depot
        assert self.state.lane_depot[0, 0] == len(depot)
        assert self.state.lane_depot_pfns.sum() == sum(map(len, depot))


@given(
    st.sampled_from(("array", "list")),
    st.integers(0, 3),
    SIZES,
    st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=12),
)
def test_one_cpu_and_its_depot_equal_the_scalar_twin(kind, capacity, size, steps):
    both = OneCpu(kind, capacity, size)
    for insert, number in steps:
        if insert:
            both.insert(number, LOW)
        else:
            both.get(number)
        both.assert_equal()


@given(st.lists(st.tuples(st.sampled_from((LOW, HIGH, None)), st.integers(1, 6)), max_size=20))
def test_both_sides_of_a_cpu_equal_the_scalar_twin(steps):
    both = OneCpu("array", 0, 8)
    for side, number in steps:
        if side is None:
            both.get(number)
        else:  # as long as the depot, which keeps one mixture and not each magazine's own, plays no part
            held = both.state.row_loaded.sum() + both.state.row_prev.sum()
            both.insert(min(number, int(16 - held)), side)
        both.assert_equal()
