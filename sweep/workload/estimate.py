"""What load a trace shows, figure by figure, and how sure that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sweep.config import RATE
from sweep.workload.gaps import CLEAR
from sweep.workload.measure import Measured
from workers.schema import MAX_IOVA_PAGES, ScenarioError, column

HIGH, MEDIUM, LOW = "high", "medium", "low"
TAIL, FEW = 0.01, 0.1
"""CPUs that do less than FEW of what a busy one does, and all together less than TAIL of it all, are idle ones."""

LOST_MATTERS = 0.001
"""Share of lost events from which on no rate is to be trusted."""

FEWEST_BURSTS = 20
MOST_SIZES = 8
"""More sizes than that are rounded up to powers of two, as the allocator does up to 32 pages."""


@dataclass(frozen=True)
class Figure:
    """One figure of a load: its column, its value, the confidence (HIGH, MEDIUM, LOW) and what that rests on."""

    name: str
    value: str | int | float
    confidence: str
    why: str


@dataclass
class Estimate:
    """The figures by column, and what a reader must know before using them."""

    figures: dict[str, Figure] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, name: str, value: str | int | float, confidence: str, why: str) -> None:
        """One more figure."""
        self.figures[name] = Figure(name, value, confidence, why)

    def doubt(self, names: tuple[str, ...], why: str) -> None:
        """Lowers the confidence of some figures."""
        for name in names:
            self.add(name, self.figures[name].value, LOW, f"{self.figures[name].why}; {why}")

    def value(self, name: str) -> float:
        """A figure that is a number."""
        return float(self.figures[name].value)


def estimate(found: Measured, path: str, cpus: int | None = None) -> Estimate:
    """The load of a trace. ``path``: for what is said of it; ``cpus``: of the machine, where the user knows.

    Raises ScenarioError for a trace that shows no load.
    """
    _refuse(found, path)
    out = Estimate()
    active = _active(found.unmaps)
    _warn(found, active, out)
    _machine(found, active, cpus, out)
    _sizes(found, out)
    _bursts(found, active, out)
    _in_flight(found, active, out)
    _shift(found, active, out)
    _domains(found, out)
    lost = found.seen.lost / (found.seen.lost + found.seen.events)
    if lost > LOST_MATTERS:
        out.doubt(("unmap_burst", "burst_period_us", RATE, "in_flight"), f"{lost:.1%} of the events were lost")
    if found.seen.overwritten:
        out.doubt(("in_flight", "free_cpu_shift"), "the CPUs' records begin at different times")
    return out


def _refuse(found: Measured, path: str) -> None:
    none = f"none of its {found.seen.lines} lines is an"
    reasons = {
        "it is empty": not found.seen.lines,
        f"{none} iommu:map or iommu:unmap event as perf or ftrace print them": not found.seen.events,
        f"{none} iommu:unmap event, which sizes and rates come from": not found.unmaps.any(),
        "all its events have one time, so they show no rate": not found.span_ns,
    }
    for reason, holds in reasons.items():
        if holds:
            raise ScenarioError(f"{path} was given; {reason}")


def _active(unmaps: np.ndarray) -> np.ndarray:
    """Numbers of the CPUs that unmap, idle ones left out, ascending."""
    numbers = np.flatnonzero(unmaps)
    counts = unmaps[numbers]
    order = np.argsort(counts, kind="stable")
    idle = (np.cumsum(counts[order]) <= TAIL * counts.sum()) & (counts[order] < FEW * np.quantile(counts, 0.9))
    return np.sort(numbers[order[~idle]])


def _warn(found: Measured, active: np.ndarray, out: Estimate) -> None:
    seen = found.seen
    if seen.damaged:
        first = seen.first_damaged[0][:120]
        out.warnings.append(f"{seen.damaged} of {seen.lines} lines are damaged and left out; the first: {first}")
    if seen.lost:
        out.warnings.append(f"the tracer lost {seen.lost} events: record with larger buffers or for a shorter time")
    if seen.overwritten:
        out.warnings.append(
            f"ftrace's buffers no longer held {seen.overwritten} older events: read trace_pipe or use larger ones"
        )
    if found.odd:
        out.warnings.append(f"{found.odd} unmaps are of no whole number of 4-KiB pages; they are rounded up")
    mapping = _active(found.maps) if found.maps.any() else active
    if abs(len(mapping) - len(active)) > 0.1 * len(active):
        out.warnings.append(
            f"{len(mapping)} CPUs map and {len(active)} unmap; a scenario has one number: that of those that unmap"
        )


def _machine(found: Measured, active: np.ndarray, cpus: int | None, out: Estimate) -> None:
    highest = int(max(np.flatnonzero(found.unmaps + found.maps))) + 1
    known = cpus or found.seen.cpus
    if known and known < highest:
        raise ScenarioError(f"cpus: {known} was given; the trace has events of CPU {highest - 1}")
    if known:
        out.add("cpus", known, HIGH, "as given" if cpus else "from the trace's header")
    else:
        out.add("cpus", highest, LOW, "the highest CPU with an event; give --cpus where the machine has more")
    idle = int((found.unmaps > 0).sum()) - len(active)
    out.add("active_cpus", len(active), HIGH, "CPUs that unmap" + (f", {idle} left out that hardly do" if idle else ""))


def _sizes(found: Measured, out: Estimate) -> None:
    total = sum(found.sizes.values())
    mix: Counter[int] = Counter()
    rounded = len(found.sizes) > MOST_SIZES
    for pages, count in found.sizes.items():
        size = 1 << (pages - 1).bit_length() if rounded and pages > 0 else pages
        mix[min(max(size, 1), MAX_IOVA_PAGES)] += count
    why = f"{total} unmaps" + (f", {len(found.sizes)} sizes rounded up to powers of two" if rounded else "")
    out.add("iova_pages", _mix(mix, total), HIGH if total >= 1000 else MEDIUM, why)


def _mix(sizes: Counter[int], total: int) -> str:
    if len(sizes) == 1:
        return str(next(iter(sizes)))
    return ",".join(f"{pages}:{count / total:.4g}" for pages, count in sorted(sizes.items()))


def _bursts(found: Measured, active: np.ndarray, out: Estimate) -> None:
    bursts = found.gaps.bursts()
    busy = np.flatnonzero(found.unmaps)
    spans_ns = float((found.last_unmap_ns[busy] - found.first_unmap_ns[busy]).sum())
    number = bursts.long_gaps + len(busy)
    each = int(found.unmaps.sum()) / number
    lasts_ns = bursts.short_ns / number
    per_cpu_per_s = 1e9 * found.unmaps.sum() / found.span_ns / len(active)
    if bursts.long_gaps >= FEWEST_BURSTS and spans_ns:  # from the first burst of each CPU to its last
        between_ns = (spans_ns - lasts_ns * len(busy)) / bursts.long_gaps
        per_cpu_per_s = 1e9 * each / between_ns * len(busy) / len(active)
    burst = max(1, round(each))
    sure = HIGH if bursts.clear >= CLEAR else MEDIUM
    why = f"{number} bursts, with gaps of more than {bursts.limit_ns / 1e3:.3g} us between them"
    if not bursts.limit_ns:
        sure, why = MEDIUM, f"no bursts stand out of {number} unmaps"
    if bursts.long_gaps < FEWEST_BURSTS:
        sure, why = LOW, f"{why}: too few to tell a period"
    period = column("burst_period_us")
    out.add("unmap_burst", min(burst, int(column("unmap_burst").high)), sure, why)
    period_us = float(np.clip(1e6 * burst / per_cpu_per_s, period.low, period.high))
    out.add("burst_period_us", float(f"{period_us:.5g}"), sure, "from the beginning of a CPU's burst to the next, mean")
    total = f"{found.unmaps.sum()} unmaps in {found.span_ns / 1e9:.4g} s on {len(active)} CPUs"
    out.add(RATE, float(f"{per_cpu_per_s:.5g}"), sure if bursts.limit_ns else HIGH, f"per active CPU; {total}")


def _in_flight(found: Measured, active: np.ndarray, out: Estimate) -> None:
    live = found.live
    left, ages_ns = live.left(found.last_ns)
    unknown_ns = np.array(live.unknown_ns, dtype=np.int64)
    before_ns = float((unknown_ns - found.first_ns).sum())
    mean = (live.lifetimes_ns + before_ns + ages_ns) / found.span_ns / len(active)
    late = int((unknown_ns > found.first_ns + 0.75 * found.span_ns).sum()) / max(found.unmaps.sum() / 4, 1)
    why = f"mean over {found.span_ns / 1e9:.3g} s; {len(unknown_ns)} IOVAs were mapped before, {left} at the end"
    sure = HIGH
    if late > 0.02:
        sure = LOW
        why = f"at least; {why}; {late:.0%} of the last unmaps are of IOVAs mapped before: record for longer"
    burst = int(out.value("unmap_burst"))
    in_flight = max(1, round(mean))
    if in_flight < burst:
        sure, why = LOW, f"{mean:.4g} measured; a scenario has at least a burst in flight ({why})"
    out.add("in_flight", min(max(in_flight, burst), int(column("in_flight").high)), sure, why)
    if abs(left - len(unknown_ns)) > 0.1 * found.unmaps.sum():
        out.warnings.append(f"IOVAs in flight went from {len(unknown_ns)} to {left}: the load was not steady")


def _shift(found: Measured, active: np.ndarray, out: Estimate) -> None:
    rank = {int(cpu): place for place, cpu in enumerate(active)}
    shifts: Counter[int] = Counter()
    for (mapped, unmapped), count in found.live.moves.items():
        if mapped in rank and unmapped in rank:
            shifts[(rank[unmapped] - rank[mapped]) % len(active)] += count
    if not shifts:
        out.add("free_cpu_shift", 0, LOW, "no IOVA was seen from its map to its unmap")
        return
    shift, count = max(shifts.items(), key=lambda item: (item[1], -item[0]))
    share = count / found.live.matched
    sure = HIGH if share >= 0.9 else MEDIUM if share >= 0.6 else LOW
    out.add("free_cpu_shift", shift, sure, f"{share:.0%} of {found.live.matched} IOVAs are unmapped that many CPUs on")
    if sure == LOW:
        out.warnings.append("IOVAs are unmapped on many CPUs, whichever mapped them; one shift is not all of it")


def _domains(found: Measured, out: Estimate) -> None:
    several = found.live.domains
    if several == 1:
        out.add("domains", 1, MEDIUM, "no two live IOVAs overlap; the events do not say the domain")
        return
    why = f"live IOVAs overlap up to {several} deep" + (", or unmaps were lost" if found.seen.lost else "")
    out.add("domains", 1, LOW, why)
    out.warnings.append(
        f"{why}: this is the load of at least {several} IOMMU domains, which the events do not tell apart; all figures"
        " are sums over them, and one domain alone has less: record while only one device is busy"
    )
    named = ("active_cpus", "iova_pages", "unmap_burst", "burst_period_us", RATE, "in_flight", "free_cpu_shift")
    out.doubt(named, f"over at least {several} domains")
    out.doubt(("in_flight",), "at least that many, as an unmap of one domain may pass for that of another")
