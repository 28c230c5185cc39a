"""One step of every lane: the recipe."""

from __future__ import annotations

import numpy as np

from workers.slices import bursts, length, magazines, timer
from workers.slices.params import Params
from workers.slices.state import State


def step(s: State, p: Params) -> State:
    """Advances each lane by one slice and returns the state.

    Order within a slice: a due timer starts its callback, the callback drains rings, CPUs with a burst due or
    unfinished unmap and then map from their caches, the lock serves the misses, the depot work trims.
    """
    timer.fire(s, p)
    length_ns = length.next_ns(s, p)
    magazines.foresee(s, p, bursts.actors(s, p, s.lane_now_ns + length_ns))
    length_ns = timer.drain(s, p, length_ns)
    until_ns = s.lane_now_ns + length_ns
    rows = bursts.actors(s, p, until_ns)
    bursts.unmap(s, p, rows, until_ns)
    bursts.map_from_caches(s, p, rows)
    magazines.settle(s, p)
    length_ns = bursts.map_from_tree(s, p, rows, length_ns)
    until_ns = s.lane_now_ns + length_ns
    magazines.work(s, p, until_ns)
    s.lane_lock_debt_ns = np.maximum(s.lane_lock_debt_ns - length_ns, 0.0)
    s.lane_now_ns = until_ns
    timer.close(s, p)
    bursts.finish(s, p, rows)
    record(s, p)
    s.lane_steps = s.lane_steps + 1
    return s


def record(s: State, p: Params) -> None:
    """Keeps the peaks of depots, nodes and cached address space."""
    c = s.count
    s.lane_depot_peak = np.maximum(s.lane_depot_peak, s.lane_depot)
    c["depot_peak"] = np.maximum(c["depot_peak"], s.lane_depot.sum(0))
    c["nodes_peak"] = np.maximum(c["nodes_peak"], s.lane_nodes.sum(0))
    c["cached_pages_peak"] = np.maximum(c["cached_pages_peak"], (s.lane_cached * p.pages).sum(0))
