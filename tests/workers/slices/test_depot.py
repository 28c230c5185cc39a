"""Depot policies: what they accept, what they trim, and when the work runs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.scenarios import table
from workers.slices import depot, magazines, params
from workers.slices.state import NEVER, State, initial

USUAL = {"cpus": 2, "unmap_burst": 1, "burst_period_us": 1e6, "in_flight": 100_000}


def lane(policy: str, pages: str = "1") -> tuple[State, params.Params]:
    p = params.from_columns(table([USUAL | {"policy": policy, "iova_pages": pages}]))
    return initial(p), p


def insert(s: State, p: params.Params, number: int) -> float:
    """Frees ``number`` low IOVAs of the first size on CPU 0; pfns of the magazines the depot refused."""
    freed = np.zeros((2 * p.classes, 1))
    freed[0] = number
    return magazines.insert(s, p, np.array([0]), freed, stream=1).sum()


def test_an_array_is_full_at_its_capacity():
    s, p = lane("array")
    nodes = s.lane_nodes.sum()
    assert depot.room(s.lane_depot, p) == 32
    assert insert(s, p, 128 * (2 + 32)) == 0  # the CPU's own two magazines and 32 in the depot
    assert depot.room(s.lane_depot, p) == 0
    assert (s.lane_depot.sum(), s.lane_nodes.sum()) == (32, nodes)
    assert insert(s, p, 129) == 2 * 128
    assert s.lane_depot.sum() == 32
    assert depot.surplus(s.lane_depot, p) == 0


def test_a_list_takes_all_and_keeps_one_a_cpu():
    s, p = lane("list")
    nodes = s.lane_nodes.sum()
    assert insert(s, p, 128 * 102) == 0
    assert s.lane_depot.sum() == 100
    assert s.lane_depot_pfns.sum() == 128 * 100
    assert depot.room(s.lane_depot, p) == np.inf
    assert depot.surplus(s.lane_depot, p) == 98
    assert s.lane_nodes.sum() == nodes


def test_the_work_frees_one_magazine_each_100_ms_after_the_first_push():
    s, p = lane("list")
    assert s.lane_work_due_ns[0, 0] == NEVER
    s.lane_now_ns += 5e6
    insert(s, p, 128 * 6)  # four in the depot, two above the threshold
    assert s.lane_work_due_ns[0, 0] == 105e6
    s.lane_now_ns += 5e6
    insert(s, p, 128)
    assert s.lane_work_due_ns[0, 0] == 105e6  # a push while the work is pending does not delay it
    left, nodes = [], s.lane_nodes.sum()
    for until_ms in (104, 105, 205, 305, 405, 505):
        s.lane_now_ns[:] = until_ms * 1e6
        magazines.work(s, p, np.array([until_ms * 1e6]))
        left.append(int(s.lane_depot.sum()))
    assert left == [5, 4, 3, 2, 2, 2]
    assert s.lane_nodes.sum() == nodes - 3 * 128
    assert s.lane_work_due_ns[0, 0] == NEVER


@pytest.mark.parametrize("policy", ["array", "list_untrimmed"])
def test_nothing_trims_the_others(policy):
    s, p = lane(policy)
    insert(s, p, 128 * 30)
    assert s.lane_work_due_ns[0, 0] == NEVER


def test_each_size_has_a_depot_of_its_own():
    s, p = lane("array", "1,8")
    insert(s, p, 128 * 20)
    assert s.lane_depot[:, 0].tolist() == [18, 0]
    assert depot.room(s.lane_depot, p)[:, 0].tolist() == [14, 32]


def test_cpus_take_depot_magazines_in_turn_while_they_last():
    s, p = lane("list")
    insert(s, p, 128 * 5)  # both of CPU 0's magazines and three in the depot
    taken = magazines.get(s, p, np.array([0, 1]), np.array([[3.0, 200.0]]), stream=2)
    assert taken.sum(0).tolist() == [3, 200]
    assert s.lane_depot.sum() == 1
    rest = magazines.get(s, p, np.array([0, 1]), np.array([[0.0, 900.0]]), stream=3)
    assert rest.sum(0).tolist() == [0, 2 * 128 - 200 + 128]
    assert s.lane_depot.sum() == 0
    assert s.lane_depot_pfns.sum() == 0
