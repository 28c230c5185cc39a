"""Numbers as people say them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.hazard import LONG_STAY_S


def si(value: float) -> str:
    """A number with at most three digits: 950, 1k, 2.5M."""
    value = float(f"{value:.3g}")  # 999.6 is 1k
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def mib(size_bytes: float | None) -> str:
    """Bytes in MiB, without the unit; a dash for what is not known."""
    if size_bytes is None:
        return "–"
    value = size_bytes / 2**20
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """A time with its unit."""
    if value is None:
        return "–"
    if value == float("inf"):
        return "never"
    if value < 1:
        return "0" if value == 0 else f"{1e3 * value:.3g} ms" if value >= 1e-3 else f"{1e6 * value:.3g} µs"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:,.3g} h"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; with a decimal where whole per cents would say none or all of it."""
    if not whole:
        return "–"
    rough = part in (0, whole) or 0.01 <= part / whole <= 0.99
    return f"{part / whole:.0%}" if rough else f"{part / whole:.1%}"


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and what is counted: 1 pair, 1,240 pairs."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def expecting(number: int) -> str:
    """How many scenarios that count as safe are marked with a ``!``, and why."""
    those = count(number, "safe scenario expects", "safe scenarios expect")
    return f"! {those} a lockup within exposure_s: less likely than not, but many if any"


def too_short(number: int) -> str:
    """Of how many scenarios that count as safe the run says nothing."""
    ran = count(number, "safe scenario")
    return f"{ran} ran too short to show a lockup, which takes a stay of {LONG_STAY_S:g} s and more"


def cut_off(number: int) -> str:
    """Of how many scenarios that count as safe the longest stay may be longer than the run shows."""
    return f"the longest stay of {count(number, 'safe scenario')} was cut by the end of the run and may go on"


def pages(text: str) -> str:
    """A value of iova_pages with its unit."""
    return "1 page" if text == "1" else f"{text} pages"


NAMES = {
    "unmap_rate_per_s": "unmap rate per CPU",
    "cpus": "CPUs",
    "active_cpus": "active CPUs",
    "iova_pages": "IOVA size",
    "in_flight": "IOVAs in flight per CPU",
    "unmap_burst": "unmaps a burst",
    "costs": "costs of the machine",
    "policy": "depot policy",
    "hz": "HZ",
}


def reach(low: float, high: float, most: float, show: Callable[[float], str]) -> str:
    """Where something occurs that was looked for up to ``most``: 'from 64', 'at 128', or in a band, '64 to 256'."""
    if high >= most:
        return f"from {show(low)}"
    return f"at {show(low)}" if low == high else f"{show(low)} to {show(high)}"


def named(column: str) -> str:
    """A column in words, or as it is called."""
    return NAMES.get(column, column)


def listed(items: Sequence[str], last: str = "and") -> str:
    """A list in a sentence: a, b and c; ``last``: the word before the last one."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
