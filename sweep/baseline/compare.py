"""What moved between two baselines of a grid, and in words: from where to where, and why it matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.baseline.boundary import ABOVE, AT, Boundary
from sweep.baseline.file import Baseline
from sweep.baseline.lines import Line
from sweep.map import si
from workers.results import rearm_period_ms
from workers.schema import VERDICTS

KINDS = ("failure", "locks", "chains", "verdict", "memory", "reclaim", "stay", "rates")
"""What can move on a line, the gravest first."""

FLOOR = {"stay": 0.05, "memory": 0.0, "reclaim": 0.25}
"""Differences (ms, MiB, s) that are none, whatever the share: the depot work frees a magazine each 0.1 s."""

WHO = {"array": "5.15 as it is", "list": "5.15 with both patches"}


@dataclass(frozen=True)
class Change:
    """One thing that moved on a line: its kind, from where to where, why it matters, and whether it is for the worse."""

    kind: str
    text: str
    why: str
    worse: bool


@dataclass(frozen=True)
class Moved:
    """A line that moved, by its label, and how, the gravest change first."""

    label: str
    changes: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether anything on it is for the worse."""
        return any(change.worse for change in self.changes)


@dataclass(frozen=True)
class Comparison:
    """A grid against its baseline: labels of the lines compared, those that moved, and those in one of them only.

    ``causes``: what else differs, as sentences: the model's version, costs, policies. They move nothing by themselves.
    """

    grid: str
    labels: tuple[str, ...]
    moved: tuple[Moved, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing moved, came or went."""
        return not (self.moved or self.added or self.removed)


def compare(was: Baseline, now: Baseline) -> Comparison:
    """``now`` against ``was``, by the tolerances of ``was``."""
    shown = _varied([*was.lines, *now.lines])
    before, after = ({line.name: line for line in side.lines} for side in (was, now))
    both = [name for name in after if name in before]
    moved = [
        Moved(_label(after[name], shown), changes)
        for name in both
        if (changes := tuple(_changes(before[name], after[name], was.tolerance)))
    ]
    return Comparison(
        now.grid,
        tuple(_label(after[name], shown) for name in both),
        tuple(sorted(moved, key=lambda line: (not line.worse, KINDS.index(line.changes[0].kind)))),
        tuple(_label(line, shown) for name, line in after.items() if name not in before),
        tuple(_label(line, shown) for name, line in before.items() if name not in after),
        tuple(_causes(was, now)),
    )


def _varied(lines: Sequence[Line]) -> list[str]:
    """Columns that a label needs, beside policy, size and CPUs, to tell the lines apart."""
    names = [name for name in lines[0].load if name not in ("policy", "iova_pages", "cpus")]
    if all(line.load["active_cpus"] == line.load["cpus"] for line in lines):
        names.remove("active_cpus")
    return [name for name in names if len({line.load.get(name) for line in lines}) > 1]


def _label(line: Line, shown: Iterable[str]) -> str:
    load = line.load
    pages = f"{load['iova_pages']} page{'' if load['iova_pages'] == '1' else 's'}"
    return ", ".join([load["policy"], pages, f"{load['cpus']} CPUs", *(f"{name} {load.get(name)}" for name in shown)])


def _changes(was: Line, now: Line, tolerance: Mapping[str, float]) -> Iterator[Change]:
    if was.rates_per_s != now.rates_per_s:
        text = f"run at {_rates(now.rates_per_s)}, was at {_rates(was.rates_per_s)}"
        yield Change("rates", text, "nothing else of this line is compared", True)
        return
    yield from _failures(was, now)
    who = WHO.get(now.load["policy"], f"policy {now.load['policy']}")
    for kind, old, new in (("locks", was.locks_from, now.locks_from), ("chains", was.chains_from, now.chains_from)):
        if old and new and new.moved(old, tolerance["boundary"]):
            yield _shift(kind, old, new, who)
    yield from _flips(was, now)
    if [v in ("soft_lockup", "failed") for v in was.verdicts] == [v in ("soft_lockup", "failed") for v in now.verdicts]:
        yield from _memory(was, now, tolerance)
    if was.verdicts == now.verdicts and _drifts(was.safe_stay_ms, now.safe_stay_ms, tolerance["stay"], FLOOR["stay"]):
        yield _stay(was, now)


def _failures(was: Line, now: Line) -> Iterator[Change]:
    for worse, before, after in ((True, was, now), (False, now, was)):
        pairs = zip(now.rates_per_s, before.verdicts, after.verdicts, strict=True)
        at = [rate for rate, old, new in pairs if new == "failed" and old != "failed"]
        if at:
            text = f"{'fails' if worse else 'no longer fails'} at {_rates(at)}"
            yield Change("failure", text, "the model raised there: nothing is known of that load" if worse else "", worse)


def _shift(kind: str, was: Boundary, now: Boundary, who: str) -> Change:
    does, does_not = ("locks up", "does not lock up") if kind == "locks" else ("chains", "does not chain")
    if now.side == ABOVE:
        text = f"{does_not} up to {si(now.rate_per_s)} unmaps/s, was {_from(was)}"
    else:
        text = f"{does} {_from(now)} unmaps/s, was {_from(was)}"
    if now.side == was.side == AT:
        text += f" ({_percent(now.rate_per_s, was.rate_per_s)})"
    worse = now.worse_than(was)
    if kind == "locks":
        why = f"{who} {'loses' if worse else 'gains'} the loads in between: {'they hang' if worse else 'they live'}"
    else:
        lets_go = "no longer lets go" if worse else "lets go again"
        why = f"with {who} the flush timer {lets_go} of its CPU in time at the loads in between"
    return Change(kind, text, why, worse)


def _from(boundary: Boundary) -> str:
    rate = si(boundary.rate_per_s)
    return f"from {rate}" if boundary.side == AT else f"not up to {rate}" if boundary.side == ABOVE else f"at {rate} already"


def _flips(was: Line, now: Line) -> Iterator[Change]:
    flips = [
        (rate, VERDICTS.index(old), VERDICTS.index(new))
        for rate, old, new in zip(now.rates_per_s, was.verdicts, now.verdicts, strict=True)
        if old != new and "failed" not in (old, new)
    ]
    if flips:
        text = "; ".join(f"{VERDICTS[new]} at {si(rate)} unmaps/s, was {VERDICTS[old]}" for rate, old, new in flips)
        worst = max((new for _, old, new in flips if new > old), default=0)
        why = ("less of the load is in trouble", "the timer chains there", "machines under that load lock up")[worst]
        yield Change("verdict", text, why, worst > 0)


def _memory(was: Line, now: Line, tolerance: Mapping[str, float]) -> Iterator[Change]:
    for name, old, new, more, less in (
        ("peak memory", was.memory_peak_mib, now.memory_peak_mib, "each such machine needs more", "it needs less"),
        ("memory at the end", was.memory_end_mib, now.memory_end_mib, "less of it comes back", "more of it comes back"),
    ):
        if old is not None and new is not None and _drifts(old, new, tolerance["memory"], FLOOR["memory"]):
            yield Change("memory", f"{name} {new:g} MiB, was {old:g} ({_percent(new, old)})", more if new > old else less, new > old)
    old, new = was.reclaim_s, now.reclaim_s
    if old is not None and new is not None and _drifts(old, new, tolerance["reclaim"], FLOOR["reclaim"]):
        why = "the depot never gives it back" if new == math.inf else f"the depot gives back {'later' if new > old else 'sooner'}"
        yield Change("reclaim", f"the depot keeps its surplus {_seconds(new)}, was {_seconds(old)}", why, new > old)


def _stay(was: Line, now: Line) -> Change:
    old, new = was.safe_stay_ms or 0.0, now.safe_stay_ms or 0.0
    rearm_ms = float(rearm_period_ms(now.load["hz"]))
    text = f"longest safe stay in the softirq {new:g} ms, was {old:g} ({_percent(new, old)})"
    why = f"the timer is due again after {rearm_ms:g} ms: {new / rearm_ms:.0%} of that is used, was {old / rearm_ms:.0%}"
    return Change("stay", text, why, new > old)


def _drifts(was: float | None, now: float | None, share: float, floor: float) -> bool:
    if was is None or now is None or was == now:
        return False
    return not abs(now - was) <= max(share * was, floor)  # of two of which one is infinite, always


def _seconds(seconds: float) -> str:
    return "for ever" if seconds == math.inf else f"{seconds:g} s"


def _percent(now: float, was: float) -> str:
    return f"{100 * (now / was - 1):+.2g} %" if was else "from nothing"


def _rates(rates: Sequence[float]) -> str:
    return ", ".join(map(si, rates)) + " unmaps/s"


def _causes(was: Baseline, now: Baseline) -> Iterator[str]:
    if was.model_version != now.model_version:
        yield f"the model's version is {now.model_version}, was {was.model_version}"
    yield from (f"{name}: {new}, was {old}" for name, old, new in _differences(was.costs, now.costs))
    for policy in sorted(was.policies.keys() & now.policies.keys()):
        for name, old, new in _differences(was.policies[policy], now.policies[policy]):
            yield f"policy {policy}: {name} {new}, was {old}"


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            yield name, was.get(name), now.get(name)
