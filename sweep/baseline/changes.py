"""What moved on one line, in words: from where to where, and why it matters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweep.baseline.boundary import ABOVE, AT, BELOW, Boundary
from sweep.baseline.lines import FAILURE, Line
from sweep.report.answers.words import si
from workers.jiffies import rearm_period_ms
from workers.schema import LOCKED, VERDICTS

KINDS = ("failure", "locks", "chains", "verdict", "memory", "reclaim", "tree", "stay", "rates")
"""What can move on a line, the gravest first."""

FLOOR = {"stay": 0.05, "memory": 0.0, "reclaim": 0.25, "tree": 100.0}
"""Differences (ms, MiB, s, IOVAs) that are none, whatever the share: less than what the depot work frees in 0.3 s, or
than a magazine.
"""

WHO = {"array": "5.15 as it is", "list": "5.15 with both patches"}


@dataclass(frozen=True)
class Change:
    """One thing that moved on a line: its kind, from where to where, why that matters, and if it is for the worse."""

    kind: str
    text: str
    why: str
    worse: bool


def changes(was: Line, now: Line, tolerance: Mapping[str, float]) -> Iterator[Change]:
    """What moved on a line by more than ``tolerance`` (``sweep.baseline.file``), the gravest first.

    Memory is compared where the same rates stay out of lockups, figures of the calm ones where no verdict changed:
    else they are those of other loads.
    """
    if was.rates_per_s != now.rates_per_s:
        text = f"run at {_rates(now.rates_per_s)}, was at {_rates(was.rates_per_s)}"
        yield Change("rates", text, "nothing else of this line is compared", True)
        return
    yield from _failures(was, now)
    shifts = _shifts(was, now, tolerance["boundary"])
    who = WHO.get(now.load["policy"], f"policy {now.load['policy']}")
    if not (shifts.keys() == {"locks", "chains"} and _in_one_step(was) and _in_one_step(now)):
        yield from (_shift(kind, *ends, who) for kind, ends in shifts.items())
    else:  # where calm turns into a lockup there is no chaining to speak of
        yield _shift("locks", *shifts["locks"], who)
    yield from _flips(was, now, shifts)
    if was.alive == now.alive:
        yield from _memory(was, now, tolerance["memory"])
        yield from _reclaim(was, now, tolerance["reclaim"])
    if was.verdicts == now.verdicts:
        yield from _tree(was, now, tolerance["tree"])
        yield from _stay(was, now, tolerance["stay"])


def _failures(was: Line, now: Line) -> Iterator[Change]:
    for worse, before, after in ((True, was, now), (False, now, was)):
        pairs = zip(now.rates_per_s, before.verdicts, after.verdicts, strict=True)
        at = [rate for rate, old, new in pairs if new == FAILURE and old != FAILURE]
        if at:
            why = "the model raised there: nothing is known of that load" if worse else "its verdict counts again"
            yield Change("failure", f"{'fails' if worse else 'no longer fails'} at {_rates(at)}", why, worse)


def _shifts(was: Line, now: Line, tolerance: float) -> dict[str, tuple[Boundary, Boundary]]:
    """The boundaries that moved, with where they were and are."""
    pairs = {"locks": (was.locks_from, now.locks_from), "chains": (was.chains_from, now.chains_from)}
    return {kind: (old, new) for kind, (old, new) in pairs.items() if old and new and new.moved(old, tolerance)}


def _in_one_step(line: Line) -> bool:
    """Whether the first verdict that is not ok, if there is one, is a lockup."""
    return next((verdict for verdict in line.verdicts if verdict not in ("ok", FAILURE)), LOCKED) != "chained"


def _shift(kind: str, was: Boundary, now: Boundary, who: str) -> Change:
    does, does_not = ("locks up", "no lockup") if kind == "locks" else ("chains", "no chaining")
    what = f"{does_not} up to" if now.side == ABOVE else f"{does} from" if now.side == AT else f"{does} already at"
    shift = f" ({_percent(now.rate_per_s, was.rate_per_s)})" if now.side == was.side == AT else ""
    worse = now.worse_than(was)
    loads = "all loads of this line" if {was.side, now.side} == {ABOVE, BELOW} else "the loads in between"
    if kind == "locks":
        why = f"{who} {'loses' if worse else 'gains'} {loads}: {'they hang' if worse else 'they live'}"
    else:
        lets_go = "no longer lets go" if worse else "lets go again"
        why = f"with {who} the flush timer {lets_go} of its CPU in time at {loads}"
    return Change(kind, f"{what} {si(now.rate_per_s)} unmaps/s, was {_from(was)}{shift}", why, worse)


def _from(boundary: Boundary) -> str:
    rate = si(boundary.rate_per_s)
    if boundary.side == AT:
        return f"from {rate}"
    return f"not up to {rate}" if boundary.side == ABOVE else f"already at {rate}"


def _flips(was: Line, now: Line, shifts: Mapping[str, tuple[Boundary, Boundary]]) -> Iterator[Change]:
    """Verdicts that changed, but for those that follow from a boundary that moved over them."""
    flips = []
    for rate, old, new in zip(now.rates_per_s, was.verdicts, now.verdicts, strict=True):
        ends = shifts.get("locks" if LOCKED in (old, new) else "chains")
        told = ends is not None and min(e.from_per_s for e in ends) <= rate <= max(e.from_per_s for e in ends)
        if old != new and FAILURE not in (old, new) and not told:
            flips.append((rate, VERDICTS.index(old), VERDICTS.index(new)))
    if flips:
        text = "; ".join(f"{VERDICTS[new]} at {si(rate)} unmaps/s, was {VERDICTS[old]}" for rate, old, new in flips)
        worst = max((new for _, old, new in flips if new > old), default=0)
        why = ("less of the load is in trouble", "the timer chains there", "machines under that load lock up")[worst]
        yield Change("verdict", text, why, worst > 0)


def _memory(was: Line, now: Line, tolerance: float) -> Iterator[Change]:
    peak = _drift(was.memory_peak_mib, now.memory_peak_mib, tolerance, FLOOR["memory"])
    end = _drift(was.memory_end_mib, now.memory_end_mib, tolerance, FLOOR["memory"])
    for name, drift, more, less in (
        ("peak memory", peak, "each such machine needs more", "each such machine needs less"),
        ("memory at the end", end, "less of it comes back", "more of it comes back"),
    ):
        if drift:
            old, new = drift
            text = f"{name} {new:g} MiB, was {old:g} ({_percent(new, old)})"
            yield Change("memory", text, more if new > old else less, new > old)


def _reclaim(was: Line, now: Line, tolerance: float) -> Iterator[Change]:
    if drift := _drift(was.reclaim_s, now.reclaim_s, tolerance, FLOOR["reclaim"]):
        old, new = drift
        text = f"the depot keeps its surplus {_seconds(new)}, was {_seconds(old)}"
        later = f"what a burst leaves behind comes back {'later' if new > old else 'sooner'}"
        yield Change("reclaim", text, "it never comes back" if new == math.inf else later, new > old)


def _tree(was: Line, now: Line, tolerance: float) -> Iterator[Change]:
    if drift := _drift(was.tree_frees, now.tree_frees, tolerance, FLOOR["tree"]):
        old, new = drift
        text = f"{new:g} IOVAs freed to the tree, was {old:g} ({_percent(new, old)})"
        if was.reclaim_s:  # there is a surplus to trim
            why = f"the depot is trimmed {'less' if new < old else 'more'}"
            yield Change("tree", text, why, new < old)
        else:
            why = f"{'more' if new > old else 'less'} work under iova_rbtree_lock"
            yield Change("tree", text, why, new > old)


def _stay(was: Line, now: Line, tolerance: float) -> Iterator[Change]:
    if drift := _drift(was.safe_stay_ms, now.safe_stay_ms, tolerance, FLOOR["stay"]):
        old, new = drift
        rearm_ms = float(rearm_period_ms(now.load["hz"]))
        text = f"longest safe stay in the softirq {new:g} ms, was {old:g} ({_percent(new, old)})"
        used = f"{new / rearm_ms:.0%} of that is used, was {old / rearm_ms:.0%}"
        yield Change("stay", text, f"the timer is due again after {rearm_ms:g} ms: {used}", new > old)


def _drift(was: float | None, now: float | None, share: float, floor: float) -> tuple[float, float] | None:
    """Both, where they differ by more than a share of what it was and by more than ``floor``; None: there is none."""
    if was is None or now is None or was == now:
        return None
    within = abs(now - was) <= max(share * was, floor) and math.isinf(was) == math.isinf(now)
    return None if within else (was, now)


def _percent(now: float, was: float) -> str:
    if not was:
        return "from nothing"
    if now >= 2 * was:
        return f"{now / was:.3g} times that"
    percent = 100 * (now / was - 1)
    return f"{percent:+.0f} %" if abs(percent) >= 10 else f"{percent:+.2g} %"


def _seconds(seconds: float) -> str:
    return "for ever" if seconds == math.inf else f"{seconds:g} s"


def _rates(rates: Sequence[float]) -> str:
    return ", ".join(map(si, rates)) + " unmaps/s"
