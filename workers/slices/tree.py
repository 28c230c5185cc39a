"""The rbtree of each lane under iova_rbtree_lock: magazines and IOVAs freed, IOVAs found, and what it costs.

Source: drivers/iommu/iova.c, alloc_iova(), __alloc_and_insert_iova_range(), iova_magazine_free_pfns(),
free_iova(). Costs are those of docs/virtual-time.md. The closure for walk lengths is workers.slices.rbtree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.slices import noise, rbtree
from workers.slices.noise import Stream
from workers.slices.params import Params
from workers.slices.state import NEVER, State

INSERT_VISITS = 3.0  # the start node, one of the descent, one for the cached node
DELETE_VISITS = 2.0
SIDES = (0, 1)
PFNS_BELOW_48BIT = 2.0**36


class Turn(NamedTuple):
    """What a turn found, (classes, n), and how long it held the lock, (n,)."""

    found: np.ndarray
    held_ns: np.ndarray


def free_one_ns(s: State, p: Params, lanes: np.ndarray, in_magazine: bool) -> np.ndarray:
    """Lock hold of one find and erase; a magazine's frees hold it for the slab too. ``lanes``: lane numbers (n,)."""
    visits = rbtree.find_visits(s.lane_nodes[:, lanes].sum(0)) + DELETE_VISITS
    held = visits * p.cost["rb_visit_ns"][lanes] + p.cost["rb_erase_ns"][lanes]
    return held + (p.cost["iova_slab_ns"][lanes] if in_magazine else 0.0)


def erase(s: State, p: Params, freed: np.ndarray) -> None:
    """Frees ``freed`` (kinds, lanes) nodes, a magazine or more at once: holes appear, cached nodes move up."""
    lanes = np.flatnonzero(freed.sum(0))
    if len(lanes):
        u = noise.uniform(noise.key(p.seed[lanes], s.lane_steps[lanes], Stream.UNSEALED))
        for side in SIDES:
            _free_side(s, p, lanes, np.full(len(lanes), side), freed[side::2, lanes], u)
        s.count["erases"] += freed.sum(0)


def _free_side(s: State, p: Params, lanes: np.ndarray, side: np.ndarray, count: np.ndarray, u: np.ndarray) -> None:
    """Frees ``count`` (classes, n) nodes at random ranks of a side (n,); one above the cached node breaks the seal."""
    total = count.sum(0)
    cached, moved = rbtree.free(s.lane_cached_rank[side, lanes], total)
    s.lane_cached_rank[side, lanes] = cached
    s.lane_nodes[side, lanes] -= total
    for k in range(p.classes):
        s.lane_holes[side, k, lanes] += count[k][:, None] / rbtree.BANDS
    s.lane_sealed_pages[lanes] = np.where((side == 0) & (u < moved), NEVER, s.lane_sealed_pages[lanes])


def turn(s: State, p: Params, lanes: np.ndarray, freed: np.ndarray, want: np.ndarray, u: np.ndarray) -> Turn:
    """``freed`` (kinds, n) pfns and ``want`` (classes, n) attempts of ``lanes`` (n,); single frees in random order.

    Magazines are freed 128 at once, before the attempts; oversize IOVAs one at a time, between them.

    Attempts go below 4 GiB where the lane tries that first, else above. Holes of the own size or larger are taken
    from the top, then the open space below the lowest node. A walk that finds nothing passes every node once,
    leaves the cached one where it is and sets max32_alloc_size. ``u`` (n,): a uniform random number a lane.
    """
    low_first = p.dma32_first[lanes]
    side = np.where(low_first, 0, 1)
    own, other = np.where(low_first, freed[0::2], freed[1::2]), np.where(low_first, freed[1::2], freed[0::2])
    single = p.oversize[:, lanes]
    _free_side(s, p, lanes, 1 - side, other, u)
    _free_side(s, p, lanes, side, own * ~single, u)
    own = own * single
    sealed = s.lane_sealed_pages[lanes]
    meets = (sealed == NEVER) | ~low_first
    nodes = s.lane_nodes[side, lanes]
    found = np.zeros_like(want)
    passed = np.zeros(len(lanes))
    for k in range(p.classes):
        met = rbtree.churn(s.lane_cached_rank[side, lanes], nodes, own[k] * meets, want[k], u)
        found[k] += met.refilled
        passed += met.passed
        s.lane_holes[side, k, lanes] += met.holes
        s.lane_cached_rank[side, lanes] = met.cached
    s.lane_nodes[side, lanes] += (found - own * meets).sum(0)
    _free_side(s, p, lanes, side, own * ~meets, u)
    passed += _seek(s, p, lanes, side, want - found, found)
    s.count["erases"][lanes] += freed.sum(0)
    held = _inserted_ns(s, p, lanes, found.sum(0), passed)
    singles = (freed.reshape(p.classes, 2, -1).sum(1) * single).sum(0)
    in_magazines = freed.sum(0) - singles
    held += singles * free_one_ns(s, p, lanes, False) + in_magazines * free_one_ns(s, p, lanes, True)
    return Turn(found, held)


def _seek(s: State, p: Params, lanes: np.ndarray, side: np.ndarray, want: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Finds ``want`` (classes, n) slots from the top, adding to ``found``; nodes passed (n,)."""
    nodes = s.lane_nodes[side, lanes]
    cached = s.lane_cached_rank[side, lanes]
    bounded = side == 0
    slot = p.slot_pages[:, lanes]
    above = np.maximum(PFNS_BELOW_48BIT - (nodes + 1.0) * slot.max(0), 0.0)
    open_pages = np.where(bounded, s.lane_open_pages[lanes], above)
    sealed = np.where(bounded, s.lane_sealed_pages[lanes], NEVER)
    holes = [s.lane_holes[side, k, lanes] for k in range(p.classes)]
    passed = np.zeros(len(lanes))
    for k in range(p.classes):
        tries = np.where(p.pages[k, lanes] >= sealed, 0.0, want[k])
        fitting = [holes[j] * np.floor(slot[j] / slot[k])[:, None] for j in range(k, p.classes)]
        walk = rbtree.fill(sum(fitting), cached, nodes, tries)
        _use(holes, fitting, walk.holes, k, slot)
        cached = walk.cached
        got, rest = np.rint(walk.taken), tries - np.rint(walk.taken)
        passed += walk.passed + np.where(rest > 0, (1.0 - cached) * nodes, 0.0)
        from_open = np.minimum(rest, np.floor(open_pages / slot[k]))
        open_pages = open_pages - from_open * slot[k]
        got, rest = got + from_open, rest - from_open
        cached = np.where(from_open > 0, 1.0, cached)
        passed += np.where(rest > 0, cached * nodes, 0.0)
        sealed = np.where(rest > 0, np.minimum(sealed, p.pages[k, lanes]), sealed)
        s.lane_nodes[side, lanes] += got
        found[k] += got
    for k in range(p.classes):
        s.lane_holes[side, k, lanes] = holes[k]
    s.lane_cached_rank[side, lanes] = cached
    s.lane_open_pages[lanes] = np.where(bounded, open_pages, s.lane_open_pages[lanes])
    s.lane_sealed_pages[lanes] = np.where(bounded, sealed, s.lane_sealed_pages[lanes])
    return passed


def _use(holes: list[np.ndarray], fitting: list[np.ndarray], left: np.ndarray, k: int, slot: np.ndarray) -> None:
    """Takes what a walk of class ``k`` used, band by band, out of its own holes first and then out of larger ones."""
    used = np.maximum(sum(fitting) - left, 0.0)
    for j, have in enumerate(fitting, start=k):
        part = np.minimum(used, have)
        holes[j] = np.maximum(holes[j] - part / np.maximum(np.floor(slot[j] / slot[k]), 1.0)[:, None], 0.0)
        used = used - part


def place_high(s: State, p: Params, lanes: np.ndarray, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Allocates ``want`` (classes, n) IOVAs above 4 GiB, below every node where no hole fits.

    Returns those placed (classes, n) and the lock hold in ns (n,).
    """
    found = np.zeros_like(want)
    passed = _seek(s, p, lanes, np.ones(len(lanes), int), want, found)
    return found, _inserted_ns(s, p, lanes, found.sum(0), passed)


def _inserted_ns(s: State, p: Params, lanes: np.ndarray, total: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Counts ``total`` (n,) inserts after walks over ``passed`` (n,) nodes; their lock hold (n,)."""
    s.count["inserts"][lanes] += total
    s.count["walk_steps"][lanes] += passed + total
    visits = passed + total * (INSERT_VISITS + 1.0)
    return visits * p.cost["rb_visit_ns"][lanes] + total * p.cost["rb_insert_ns"][lanes]
