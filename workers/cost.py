"""What it costs to follow a scenario event by event, before it ran.

The maps before its clocks begin, then bursts, maps and requests for iova_rbtree_lock: means of what the machine will
do, from its parameters alone. How near it comes is said in docs/speed.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers import cpu_time, pace, policy
from workers.hazard import LASTING_S, seen_until_s
from workers.jiffies import rearm_period_ms
from workers.mixes import of_mixes
from workers.schema import FQ_ENTRIES, PFNS_BELOW_4G, RCACHE_MAX_PAGES, Columns
from workers.slices import length

SECONDS_PER_CPU = 0.7e-3
"""The timer's visits and the CPU's sleep, a virtual second."""

SECONDS_PER_BURST = 20e-6
SECONDS_PER_UNMAP = (0.03e-6, 1.5e-6)
SECONDS_PER_REQUEST = (3.75e-6, 8.5e-6)
"""For iova_rbtree_lock. Both of one size, and of several."""

SECONDS_PER_REFUSAL = 1.7e-6
"""The same where refusals come in rows (``refused_in_rows``)."""

SECONDS_PER_MAPPED = (0.25e-6, 1.5e-6)
"""IOVAs that are in flight from the start; of one size, and of several."""

BASE_ROWS, SECONDS_PER_ROW = 60, 4e-4
"""Of a virtual second in slices: what a lane costs is as much as so many CPUs, and each CPU; on the default grid."""

STEPS_TOGETHER, SECONDS_PER_LONE_STEP = 1e9 / length.SHORT_PERIOD_NS, 3e-3
"""Steps of a virtual second that a batch takes together; each that a single lane takes beyond them."""

OVERSIZE_WALK = (0.2, 0.8)
"""Nodes looked at for an oversize request where they pile up at the lock: factor and power of the IOVAs in a burst of
every CPU, which are holes or wanted."""

FAILED_WALK = 0.2
"""Share of the nodes below 4 GiB that a search passes in vain, for every magazine that is freed there."""

DEPOT_OF_FULL_RINGS = (32.0, 0.125)
"""Most magazines in the depot, some and more for each CPU, where rings fill up by themselves: CPUs free their own
before the timer comes to them."""

CALM = 0.5
"""Share of the time for which the lock is held up to which a load may keep its pace."""

LASTING = 2.0
"""The same, wanted, from which on a stay in the softirq is taken to last, so that the run goes on beyond its horizon
(workers.hazard): true of 121 of 174 rows of the truth file and of fresh_rows.jsonl, and of 25 others."""

LOOKS = 2.0
"""Times its earliest moment: when such a load is taken to leave. Some do at once, some never."""

DEVIATIONS = 3.0
"""Standard deviations from the mean of the largest among the callbacks of a run."""

CACHED_A_CPU = 190.0
"""IOVAs in a CPU's magazines."""


class Load(NamedTuple):
    """What a scenario will do in a virtual second, means, shapes (rows,)."""

    bursts: np.ndarray
    unmaps: np.ndarray
    oversize: np.ndarray
    """Requests for the lock of IOVAs that bypass the rcache."""
    overflow: np.ndarray
    """Maps of what the timer freed to the tree, as the depot had no room."""
    refused: np.ndarray
    """First attempts below 4 GiB that find nothing."""
    busy: np.ndarray
    """Seconds for which all these would hold the lock."""
    stay_ns: np.ndarray
    """The longest callback, if nobody takes from the depot meanwhile."""
    depot: np.ndarray
    """Magazines that it fills."""
    depot_most: np.ndarray
    """The most that one fills: CPUs whose bursts come between two callbacks as often as that can be, by chance."""
    low_pages: np.ndarray
    """Address space below 4 GiB that IOVAs need which are mapped, queued or cached."""


def fill_seconds(scenarios: Columns) -> np.ndarray:
    """Seconds of one core for the maps before the clocks begin, shape (rows,)."""
    return scenarios["active_cpus"] * scenarios["in_flight"] * _each(scenarios, SECONDS_PER_MAPPED)


def seconds(scenarios: Columns) -> np.ndarray:
    """Seconds of one core for a virtual second of each scenario, shape (rows,); ``scenarios``: with depot columns.

    What a lock that is always held does not get done costs nothing.
    """
    load = expected_load(scenarios)
    unmap_s, request_s = _each(scenarios, SECONDS_PER_UNMAP), _each(scenarios, SECONDS_PER_REQUEST)
    refusal_s = np.where(refused_in_rows(scenarios), SECONDS_PER_REFUSAL, request_s)
    asked_s = (load.oversize + load.overflow) * request_s + load.refused * refusal_s
    done = load.bursts * SECONDS_PER_BURST + load.unmaps * unmap_s + asked_s
    return done / np.maximum(load.busy, 1.0) + scenarios["active_cpus"] * SECONDS_PER_CPU


def seconds_in_slices(scenarios: Columns) -> np.ndarray:
    """The same where it runs in slices, in a batch of a hundred and more, shape (rows,).

    Up to the steps that all lanes take numpy's cost per call is shared; one that takes more goes on alone.
    """
    together_s = (BASE_ROWS + scenarios["active_cpus"]) * SECONDS_PER_ROW
    pace_ns = cpu_time.burst_to_burst_ns(scenarios)
    steps = 1e9 / length.calm_ns(pace_ns, scenarios["unmap_burst"], scenarios["in_flight"])
    return together_s + np.maximum(steps - STEPS_TOGETHER, 0.0) * SECONDS_PER_LONE_STEP


def simulated_s(scenarios: Columns) -> np.ndarray:
    """Virtual seconds up to the horizon, or until a scenario is likely to be found to keep its pace (workers.pace), or
    beyond, shape (rows,)."""
    load = expected_load(scenarios)
    limits = pace.limits(scenarios)
    frees = (load.oversize > 0) | (load.depot > limits.magazines)
    calm = (load.stay_ns < pace.STAY_SHARE * limits.rearm_ns) & (load.busy < CALM)
    calm &= frees | (load.depot <= pace.NEARLY * limits.magazines)
    full = np.where(frees, ~limits.frees_to_tree, load.low_pages >= pace.FULL * PFNS_BELOW_4G)
    calm &= (load.low_pages <= pace.NEARLY_FULL * PFNS_BELOW_4G) | full
    lasting = (load.busy >= LASTING) & (scenarios["horizon_s"] >= LASTING_S)
    to_the_end_ns = np.where(lasting, 1e9 * seen_until_s(scenarios["horizon_s"]), limits.horizon_ns)
    return np.where(calm, np.minimum(LOOKS * limits.earliest_ns, limits.horizon_ns), to_the_end_ns) / 1e9


def refused_in_rows(scenarios: Columns) -> np.ndarray:
    """Where refusals of all CPUs are one loop (workers.events.refusals), shape (rows,): one size, that of oversize
    IOVAs apart, whose CPUs unmap what they map."""
    one = of_mixes(scenarios["iova_pages"], len) == 1
    return one & (scenarios["free_cpu_shift"] % scenarios["active_cpus"] == 0)


def _each(scenarios: Columns, one_and_several: tuple[float, float]) -> np.ndarray:
    """Of two costs that of one size, or of several, shape (rows,)."""
    return np.where(of_mixes(scenarios["iova_pages"], len) > 1, one_and_several[1], one_and_several[0])


def expected_load(scenarios: Columns) -> Load:
    """What each scenario will do; ``scenarios``: scenario and depot columns, shapes (rows,).

    The timer drains what the rings hold a re-arm period after they were empty, or half a ring where they fill up by
    themselves, and an array frees what it has no room for, less what CPUs at work take from it meanwhile. A first
    attempt is refused where IOVAs, mapped, queued or cached, need more space than there is below 4 GiB.
    """
    s = scenarios
    active, burst = s["active_cpus"].astype(float), s["unmap_burst"].astype(float)
    pages = of_mixes(s["iova_pages"], lambda mix: sum(size * weight for size, weight in mix))
    oversize = of_mixes(s["iova_pages"], lambda mix: sum(weight for size, weight in mix if size > RCACHE_MAX_PAGES))
    pace_ns = cpu_time.burst_to_burst_ns(s)
    bursts = 1e9 * active / pace_ns
    unmaps = bursts * burst
    cacheable = unmaps * (1 - oversize)

    aligned = s["phase"] == "aligned"
    between_ns = np.maximum(1e6 * rearm_period_ms(s["hz"]), np.where(aligned, pace_ns, 0.0))
    queued = np.where(s["strict"], 0.0, burst * between_ns / pace_ns)
    fills_up = queued > FQ_ENTRIES
    queued = np.where(fills_up, FQ_ENTRIES / 2, queued)
    drained = active * queued * (1 - oversize)
    room = policy.capacity(s) * s["magazine_pfns"]
    visits = 1.0 + np.log2(2.0 + active * s["in_flight"])
    free_ns = s["rb_visit_ns"] * visits + s["rb_erase_ns"] + s["iova_slab_ns"]
    surplus = np.maximum(drained - room, 0.0)
    stay_ns = drained * s["fq_entry_remote_ns"] + surplus * free_ns
    taken = np.where(aligned, 0.0, cacheable / 1e9)  # an ns; aligned CPUs map before the timer comes
    callback_ns = stay_ns / np.where(surplus > 0, 1.0 + taken * free_ns, 1.0)
    overflow = np.minimum(1e9 * np.maximum(surplus - taken * callback_ns, 0.0) / between_ns, cacheable)

    needed_pages = active * (s["in_flight"] + queued + CACHED_A_CPU * (1 - oversize)) * pages
    low_pages = np.where(s["dma32_first"], needed_pages, 0.0)
    too_many = np.maximum(1.0 - PFNS_BELOW_4G / np.maximum(low_pages, 1.0), 0.0)
    refused = unmaps * too_many
    requests = 2 * oversize * unmaps

    failed = np.where(refused > 0, overflow / s["magazine_pfns"], 0.0)
    low_nodes = np.minimum(PFNS_BELOW_4G, needed_pages) / pages
    walk = OVERSIZE_WALK[0] * (active * burst) ** OVERSIZE_WALK[1]
    held_ns = requests * (s["lock_handover_ns"] + walk * s["rb_visit_ns"] + s["rb_insert_ns"])
    held_ns += overflow * (s["lock_handover_ns"] + 2 * free_ns) + refused * s["lock_handover_ns"]
    held_ns += failed * FAILED_WALK * low_nodes * s["rb_visit_ns"]
    depot = drained / s["magazine_pfns"]
    at_most = DEPOT_OF_FULL_RINGS[0] + DEPOT_OF_FULL_RINGS[1] * active
    depot = np.where(fills_up, np.minimum(depot, at_most), depot)
    more_often = np.mod(between_ns / pace_ns, 1.0)  # of a CPU, to have one burst more than others in that time
    spread = np.where(fills_up | s["strict"], 0.0, np.sqrt(active * more_often * (1 - more_often)))
    depot_most = depot + DEVIATIONS * spread * burst * (1 - oversize) / s["magazine_pfns"]
    return Load(bursts, unmaps, requests, overflow, refused, held_ns / 1e9, stay_ns, depot, depot_most, low_pages)
