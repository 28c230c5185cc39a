"""How a capacity report says what was found: verdicts, headroom, memory, costs."""

from __future__ import annotations

from collections.abc import Callable

from sweep.capacity.costs import DEPENDS, CostAnswer
from sweep.capacity.remedies.remedy import Answer as RemedyAnswer
from sweep.capacity.remedies.remedy import ByRule, NoEffect
from sweep.capacity.search import Headroom
from sweep.capacity.study import Line
from sweep.capacity.totals import Expectation
from sweep.report.answers.words import listed, si
from sweep.store.chunk import FAILED
from workers.schema import LOCKED

VERDICTS = {"ok": "safe", "chained": "safe, chains", LOCKED: "locks up", FAILED: "run failed"}


def headroom(line: Line) -> str:
    """'x2.8 (unsafe at x3.1)', 'no unsafe rate up to x16', 'none (unsafe at x0.125, safe at x0.5)', or, where a run
    failed below, 'x1.4 (run failed at x1.5, unsafe at x3.1)' and 'unknown (run failed at x0.125)'."""
    found = line.headroom
    if found.unsafe is None and found.failed is None:
        return f"no unsafe rate up to x{found.most:.3g}"
    above = f", safe at {bands(found)}" if found.safe is None and found.bands else ""
    met = {"run failed": found.failed, "unsafe": found.unsafe}
    why = ", ".join(f"{what} at x{at:.3g}" for what, at in met.items() if at is not None)
    return f"{limit(found, lambda safe: f'x{safe:.3g}')} ({why}{above})"


def limit(found: Headroom, said: Callable[[float], str]) -> str:
    """The safe factor as it is ``said``; none, or unknown where the run of the least factor failed."""
    if found.safe is not None:
        return said(found.safe)
    return "none" if found.failed is None else "unknown"


def bands(found: Headroom) -> str:
    """'x4 to x8, x16': safe again above an unsafe rate; empty where there is nothing of it."""
    return ", ".join(f"x{low:.3g}" if low == high else f"x{low:.3g} to x{high:.3g}" for low, high in found.bands)


def kind(found: CostAnswer) -> str:
    """'safe at all costs', 'locks up at all' or 'depends on rb_visit_ns'."""
    if found.kind != DEPENDS:
        return found.kind
    return f"depends on {listed(found.costs or found.groups, 'or') or 'several costs'}"


def costs(found: CostAnswer) -> str:
    """'safe at all costs', or on which cost it depends."""
    if found.kind != DEPENDS or found.between is None:
        return found.kind
    safe, locked = found.between
    return f"depends: safe at {safe}, locks up at {locked} costs; {_culprits(found)}"


def _culprits(found: CostAnswer) -> str:
    if found.costs:
        return f"{listed(found.costs, 'or')} {'flips' if len(found.costs) == 1 else 'flip'} it alone"
    if found.groups:
        return f"no single cost flips it, but all of a group do: {listed(found.groups, 'or')}"
    return "no cost and no group of costs flips it alone"


def is_ruled(answer: RemedyAnswer) -> bool:
    """Whether a remedy's answer is that it cannot lock up."""
    return isinstance(answer, ByRule)


def answered(answer: RemedyAnswer) -> str:
    """What a remedy says that needs no run."""
    match answer:
        case ByRule(why):
            return f"safe by rule: {why}"
        case NoEffect(why):
            return f"changes nothing: {why}"
    return ""


def memory(size_bytes: float | None) -> str:
    """Bytes as '3.5 MiB', '12 GiB'."""
    if size_bytes is None:
        return "-"
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def rate(per_s: float | None) -> str:
    """'1.5k'; '-' for what is not known, as memory and estimates have it."""
    return "-" if per_s is None else si(per_s)


def estimate(found: Expectation | None) -> str:
    """'12 (3 to 40)', '0'."""
    if found is None:
        return "-"
    if found.high == 0:
        return "0"
    return f"{count(found.expected)} ({count(found.low)} to {count(found.high)})"


def count(number: float) -> str:
    """Three digits; thousands set apart, millions as such."""
    return si(number) if number >= 1e6 else f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
