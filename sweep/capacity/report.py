"""From what was found of a fleet to a document: the answer first, then rates, remedies, costs, how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sweep.capacity import words
from sweep.capacity.costs import TABLES
from sweep.capacity.figure import headroom
from sweep.capacity.kernels import KERNELS, is_fixed
from sweep.capacity.remedies.remedy import Remedy
from sweep.capacity.search import LADDER, TOLERANCE, factor
from sweep.capacity.study import NOW, SIDES, Findings, Line
from sweep.capacity.totals import Totals, lockups_per_year, totals
from sweep.document import Block, Bullets, Code, Column, Document, Paragraph, Section, Table
from sweep.plan.rate import PERIOD
from sweep.report.answers.words import count, listed, si, too_short
from workers.hazard import seen_until_s
from workers.schema import column

TITLE = "Capacity of "
"""Before the fleet's name."""


def document(
    name: str, findings: Sequence[Findings], remedies: Sequence[Remedy], horizon_s: float, repeat: str
) -> Document:
    """The whole report. ``name``: the fleet's; ``repeat``: the commands that make it again."""
    return Document(
        f"{TITLE}{name}",
        (*lead(findings), overview(findings, remedies)),
        (
            Section("Rates and headroom", (headroom(findings), rates(findings), *_bands(findings))),
            Section("Memory and lockups", (memory(findings),)),
            Section("What would help", (help_table(findings, remedies), prices(findings, remedies))),
            Section("Verdicts by cost", (costs(findings),)),
            Section("How to read this", (Bullets(tuple(_reading(horizon_s))),)),
            Section("Again", (Code(repeat),)),
        ),
    )


def lead(findings: Sequence[Findings]) -> tuple[Block, ...]:
    """What a planner who stops here should know."""
    now, after = totals(findings, after=False), totals(findings, after=True)
    machines = sum(found.host.count for found in findings)
    lost = [found.host.name for found in findings if None in (found.now.safe, found.after.safe)]
    failed = f" Runs failed of {listed(lost)}, of which these figures leave out what is not known." if lost else ""
    hours = sum(found.host.count * found.host.load_hours_per_year for found in findings)
    some = any(side.lockups_per_year and side.lockups_per_year.high for side in (now, after))
    interval = f" In parentheses the model's 90 % interval{_WIDE}." if some else ""
    said = (
        f"{count(len(findings), 'host class', 'host classes')}, {count(machines, 'machine')}: {now.locked:,} lock up"
        " under their load as they are,"
        f" {after.locked:,} with the fix of their kernel.{failed} Soft lockups to expect in a year"
        f" of {words.count(hours)} machine-hours under load: {_lockups(now)} as they are, {_lockups(after)} with the"
        f" fix.{interval}"
        f" Allocator memory at its peak, all machines: {words.memory(now.memory_peak_bytes)} as they are,"
        f" {words.memory(after.memory_peak_bytes)} with the fix."
    )
    return (Paragraph(said), *map(Paragraph, _doubts(findings)))


def _doubts(findings: Sequence[Findings]) -> Iterator[str]:
    """What the verdicts hide."""
    if short := [found for found in findings if found.short]:
        names = ", ".join(found.host.name for found in short)
        yield f"{too_short(sum(found.short for found in short))}: give a longer --horizon-s. They are of {names}."
    if unchecked := [found.host.name for found in findings if False in (found.now.checked, found.after.checked)]:
        yield (
            "Outside the range in which the model was compared with the reference machine and agreed with it well"
            f" enough, so to be trusted less: {', '.join(unchecked)}."
        )


_WIDE = ", wide where the seconds run leave open how fast long stays end; a machine counts as back at once"


def _lockups(side: Totals) -> str:
    hourly = f", one an hour and more on each of {count(side.hourly, 'machine')}," if side.hourly else ""
    return f"{words.estimate(side.lockups_per_year)}{hourly}"


def overview(findings: Sequence[Findings], remedies: Sequence[Remedy]) -> Table:
    """A row a host class: the answer in one line."""
    rows = tuple(
        (
            found.host.name,
            f"{found.host.count:,}",
            found.host.kernel,
            words.VERDICTS[found.now.verdict],
            _after(found, words.VERDICTS[found.after.verdict]),
            words.headroom(found.now),
            _after(found, words.headroom(found.after)),
            words.kind(found.costs[SIDES[0]]),
            advice(found, remedies),
        )
        for found in findings
    )
    names = ("Host class", "Machines", "Kernel", "Now", "With the fix", "Headroom now", "Headroom with the fix")
    columns = tuple(Column(text, text == "Machines") for text in (*names, "At other costs", "Would help"))
    return Table("Host classes", columns, rows)


def advice(found: Findings, remedies: Sequence[Remedy]) -> str:
    """The remedies under which a host class that locks up does not; of one that does not, that none is needed."""
    if found.now.safe is not False:
        return "not needed" if found.now.safe else "unknown, its run failed"
    helpful = [r.said for r in remedies if r.name in found.remedies and found.remedies[r.name].safe]
    ruled = [r.said for r in remedies if r.name not in found.remedies and words.is_ruled(found.answers[r.name])]
    return ", ".join([*helpful, *ruled]) or "nothing of these"


def rates(findings: Sequence[Findings]) -> Table:
    """Nominal and achieved rates, and how far the load may grow."""
    rows = tuple(
        (
            found.host.name,
            side,
            si(found.host.unmap_rate_per_s),
            words.rate(line.achieved_rate_per_s),
            _limit(found, line),
            words.headroom(line),
        )
        for found in findings
        for side, line in _sides(found)
    )
    names = ("Host class", "Kernel", "Unmaps/s a CPU", "Achieved", "Safe up to, unmaps/s a CPU", "Headroom")
    return Table("Rates of an active CPU in one domain", tuple(Column(n, n not in names[:2]) for n in names), rows)


def memory(findings: Sequence[Findings]) -> Table:
    """Memory of one machine, all its domains, and what the class may expect of lockups in a year."""
    rows = tuple(
        (
            found.host.name,
            side,
            f"{found.host.scenario['domains']:,}",
            words.memory(line.row["memory_peak_bytes"]),
            words.memory(line.row["memory_end_bytes"]),
            words.memory((peak := line.row["memory_peak_bytes"]) and found.host.count * peak),
            words.count(found.host.load_hours_per_year),
            words.estimate(lockups_per_year(found.host, line)),
        )
        for found in findings
        for side, line in _sides(found)
    )
    names = ("Host class", "Kernel", "Domains", "Peak a machine", "At the end a machine", "Peak, all machines")
    every = (*names, "Hours a year", "Lockups a year, all machines")
    return Table("Memory and lockups at this rate", tuple(Column(n, n not in every[:2]) for n in every), rows)


def help_table(findings: Sequence[Findings], remedies: Sequence[Remedy]) -> Table:
    """A row a host class and remedy that the model ran."""
    rows = []
    for found in findings:
        rows.append((found.host.name, "as it is", *_line_cells(found.now)))
        for remedy in remedies:
            if remedy.name in found.remedies:
                rows.append((found.host.name, remedy.said, *_line_cells(found.remedies[remedy.name])))
    names = ("Host class", "Remedy", "Verdict", "Headroom", "Achieved unmaps/s a CPU", "Peak memory")
    return Table("Remedies, one by one", tuple(Column(n, n in names[4:]) for n in names), tuple(rows))


def prices(findings: Sequence[Findings], remedies: Sequence[Remedy]) -> Bullets:
    """What each remedy costs beside what the model shows, what it answers by rule, and where it changes nothing."""
    return Bullets(tuple(f"{remedy.said}: {remedy.price}.{_answered(findings, remedy)}" for remedy in remedies))


def _answered(findings: Sequence[Findings], remedy: Remedy) -> str:
    hosts: dict[str, list[str]] = {}
    for found in findings:
        if said := words.answered(found.answers[remedy.name]):
            hosts.setdefault(said, []).append(found.host.name)
    every = len(findings)
    return "".join(
        f" On {'every host class' if len(names) == every else ', '.join(names)}: {said}."
        for said, names in hosts.items()
    )


def costs(findings: Sequence[Findings]) -> Table:
    """A row a host class and side of the fix."""
    rows = tuple(
        (
            found.host.name,
            kernel,
            *(words.VERDICTS[found.costs[side].verdicts[table]] for table in TABLES),
            words.costs(found.costs[side]),
        )
        for found in findings
        for side, kernel in _kernels(found)
    )
    names = ("Host class", "Kernel", *(f"{table.capitalize()} costs" for table in TABLES), "So")
    return Table("The same load with the costs of conf/host", tuple(map(Column, names)), rows)


def _line_cells(line: Line) -> tuple[str, str, str, str]:
    return (
        words.VERDICTS[line.verdict],
        words.headroom(line),
        words.rate(line.achieved_rate_per_s),
        words.memory(line.row["memory_peak_bytes"]),
    )


def _sides(found: Findings) -> Iterator[tuple[str, Line]]:
    """Kernel and line, as it is and with the fix; once where that is the same."""
    yield found.host.kernel, found.now
    if not is_fixed(found.host.kernel):
        yield KERNELS[found.host.kernel].fix, found.after


def _kernels(found: Findings) -> Iterator[tuple[str, str]]:
    for side, (kernel, _) in zip(SIDES, _sides(found), strict=False):
        yield side, kernel


def _after(found: Findings, said: str) -> str:
    return "has it already" if is_fixed(found.host.kernel) else said


def _limit(found: Findings, line: Line) -> str:
    """The safe rate, of unmaps/s of a CPU."""
    return words.limit(line.headroom, lambda safe: si(safe * found.host.unmap_rate_per_s))


def _bands(findings: Sequence[Findings]) -> Iterator[Block]:
    """Safe factors above an unsafe one, which count for nothing."""
    said = [
        f"{found.host.name}, {remedy}: unsafe at x{line.headroom.unsafe:.3g}, safe at {words.bands(line.headroom)}"
        for found in findings
        for remedy, line in {NOW: found.now, **found.remedies}.items()
        if line.headroom.bands
    ]
    if said:
        yield Paragraph(
            "A lower load is not always safer. After a flush each CPU frees its own entries at its next unmap; the less"
            " load, the more are left to the timer, which frees them all on one CPU. Safe above a step that is not,"
            " which counts for nothing in the headroom:"
        )
        yield Bullets(tuple(said))


def _reading(horizon_s: float) -> Iterator[str]:
    yield (
        "Now is the kernel that a host class has, the fix what replaces its depot: 5.15+fix for 5.15, the list of 6.12"
        " for 6.1. 5.15+fix and 6.12 have it already."
    )
    yield (
        "Safe means that a soft lockup (20 s in the softirq) is less likely than not within exposure_s, an hour by"
        " default; 'safe, chains' that the flush timer runs again and again without letting go, but comes to an end."
        f" Each verdict is extrapolated from {horizon_s:g} s of virtual time,"
        f" or {seen_until_s(horizon_s):g} s where a stay came to a second."
    )
    yield (
        "Headroom is the largest factor by which the unmap rate may grow such that every rate tested at or below it is"
        f" safe: the same bursts, more often. Tested were factors of 2 from x{factor(LADDER[0]):g} to"
        f" x{factor(LADDER[-1]):g}, as far as bursts stay {column(PERIOD).low:g} µs apart, then the octave in which"
        f" the line turns unsafe, in steps of {TOLERANCE:.0%}, which is the tolerance. An unsafe band narrower than an"
        " octave between safe rates may be missed. Below x1 the load must shrink; where steps above an"
        " unsafe one are safe, less load is not always safer. A rate whose run failed is neither: headroom is known up"
        " to there."
    )
    yield (
        "The achieved rate is half of the maps and unmaps that came about: a CPU that waits for the lock or flushes for"
        " each unmap does fewer than its load asks for."
    )
    yield (
        "Clamped to 128 KiB, a request of more than 32 pages becomes as many IOVAs of 32 pages as fit into it and one"
        " of the rest. Bursts and IOVAs in flight grow by the mean number of IOVAs a request, the period stays: the"
        " same bytes per second in more IOVAs. Headroom is in requests."
    )
    yield (
        "6.12 stops trying below 4 GiB after a device's first failure, which the model leaves out: where that matters,"
        " read iommu.forcedac=1 for it."
    )
    yield (
        "Costs are what each operation of the allocator takes on the machine. A load that depends on them was run with"
        " the safe table and one cost at a time at its value in the other."
    )
    yield (
        "Memory is what the allocator holds, all domains of a machine: magazines, struct iovas, rings. Rates are of one"
        " domain, all of them alike."
    )
    yield (
        "Lockups a year are extrapolated: the model's expected soft lockups an hour, with the 90 % interval that it"
        " gives, x machines x domains x hours a year under this load. The ends of the host classes' intervals are added"
        " up, which is wider than an interval of the sum. A machine that locked up counts as back under the load at"
        " once, so a class that is always locked up counts absurdly many."
    )
