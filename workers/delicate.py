"""Which scenarios are settled event by event (workers.events), as slices (workers.slices) are too coarse for them.

What costs little is followed anyway, as that leaves nothing out. Else slices are right where nobody waits long. Where
iova_rbtree_lock is what everything waits for, the order in which CPUs get it decides: oversize IOVAs go to the tree one
by one, bursts that begin together queue up for it, and a callback near the re-arm period chains or does not. Nor are
they right where a CPU has several bursts within one, or where an array fills up or a list is trimmed now and then:
whether a magazine comes before the room for it, or is there when the depot's work looks, is a matter of order, too.
"""

from __future__ import annotations

import numpy as np

from workers import alike, cost, pace, policy
from workers.jiffies import rearm_period_ms
from workers.mixes import mean_slot_pages, of_mixes, some_bypass
from workers.schema import Columns
from workers.slices import length

MOST_SECONDS = 45.0
"""Cost of a virtual second above which a scenario stays with the slices, if they cost less."""

AMONG_FEW = 20.0
"""What a lane costs in slices among five, of what it costs among a hundred, which share numpy's cost per call."""

NEAR_FORESEEN = 0.25
"""Share of the re-arm period from which on a callback that is foreseen may chain: of the truth file's random rows of
rcache sizes it finds 77 of the 79 that come near a chain, and 65 others, whose overflow slices get less exactly."""

BUSY = 0.5
"""Share of the time for which iova_rbtree_lock would be held, from which on who waits for whom decides."""

MAY_FILL_UP = 0.2
"""Magazines that a callback is foreseen to fill, of all bins together, as a share of one bin's array, from which on
that may be full at times: a depot also holds what earlier callbacks left."""

MOST_IN_FLIGHT = 2_000_000.0
MOST_CLASSES = 255
"""Size classes that workers.events.side can tell apart."""

MOST_PAGES = 2.0**35
"""Of the 2^36 that a device sees: where less is mapped no map fails."""


def affordable(scenarios: Columns) -> np.ndarray:
    """Whether each scenario's events (rows,) can be followed one by one: not too many, nor too many IOVAs or sizes.

    ``scenarios``: scenario and depot columns, shapes (rows,).
    """
    slot_pages = mean_slot_pages(scenarios["iova_pages"])
    in_flight = scenarios["active_cpus"] * scenarios["in_flight"].astype(float)
    fits = (in_flight <= MOST_IN_FLIGHT) & (2.0 * in_flight * slot_pages <= MOST_PAGES)
    fits &= of_mixes(scenarios["iova_pages"], len) <= MOST_CLASSES
    return fits & (cost.seconds(scenarios) <= np.maximum(cost.seconds_in_slices(scenarios), MOST_SECONDS))


def from_the_start(scenarios: Columns) -> np.ndarray:
    """Scenarios (rows,) whose IOVAs bypass the rcache, whose CPUs unmap at the same time, whose bursts come closer than
    a slice is long, whose timer will work long, whose array may fill up or list be trimmed, or whose requests keep the
    lock busy."""
    close = 1e3 * scenarios["burst_period_us"] < length.LONGEST_NS
    load = cost.expected_load(scenarios)
    long = load.stay_ns >= NEAR_FORESEEN * 1e6 * rearm_period_ms(scenarios["hz"])
    full = load.depot >= MAY_FILL_UP * policy.capacity(scenarios)
    trimmed = policy.trims(scenarios) & (load.depot_most >= pace.NEARLY * scenarios["trim_threshold"])
    bypass = some_bypass(scenarios["iova_pages"])
    return bypass | (scenarios["phase"] == "aligned") | close | long | full | trimmed | (load.busy >= BUSY)


def cheap(scenarios: Columns) -> np.ndarray:
    """Whether following each scenario (rows,) costs no more than slices would if a batch had a few lanes;
    ``scenarios``: with depot columns."""
    return cost.seconds(scenarios) <= AMONG_FEW * cost.seconds_in_slices(scenarios)


def followed(scenarios: Columns) -> np.ndarray:
    """Scenarios (rows,) that are settled event by event from the start; ``scenarios``: with depot columns."""
    return (from_the_start(scenarios) | cheap(scenarios)) & affordable(scenarios)


def expected_seconds(scenarios: Columns) -> np.ndarray:
    """Predicted seconds of one core to follow each scenario event by event, shape (rows,); ``scenarios``: with depot
    columns. 0 if it runs in slices or shares another row's run; those that turn out delicate later are not known."""
    whole = cost.fill_seconds(scenarios) + cost.simulated_s(scenarios) * cost.seconds(scenarios)
    own = expected_runs(scenarios) == np.arange(len(whole))
    return np.where(followed(scenarios) & own, whole, 0.0)


def expected_runs(scenarios: Columns) -> np.ndarray:
    """For each scenario (rows,) the one whose run, event by event, will do for it: as a rule itself.

    Whether a depot will be full is foreseen; that decides where scenarios run and what is forecast, never a result.
    """
    runs, rows = np.arange(len(scenarios["cpus"])), np.flatnonzero(followed(scenarios))
    first, same_as = alike.distinct({name: values[rows] for name, values in scenarios.items()})
    distinct = {name: values[rows[first]] for name, values in scenarios.items()}
    full, run_of = cost.expected_load(distinct).overflow > 0, np.arange(len(first))
    for group in alike.by_capacity(distinct):
        roomy = [i for i, row in enumerate(group) if not full[row]]
        if roomy:
            run_of[group[roomy[0] :]] = group[roomy[0]]
    runs[rows] = rows[first[run_of[same_as]]]
    return runs
