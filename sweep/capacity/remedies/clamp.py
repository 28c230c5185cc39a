"""I/O clamped to 128 KiB, as NVMe does since 3710e2b056cb (v6.4), or with max_sectors_kb=128.

A request of more than 32 pages becomes as many IOVAs of 32 pages as fit into it and one of the rest. What is unmapped a
burst, and what is in flight, stays the same in requests: both grow by the mean number of IOVAs a request, rounded, and
the period stays. So the bytes per second stay, and the unmap rate grows.
"""

from __future__ import annotations

from collections import defaultdict

from sweep.capacity.fleet import HostClass
from sweep.capacity.remedies.remedy import Changes, NoEffect, Remedy
from workers.schema import RCACHE_MAX_PAGES, column, parse_iova_pages

MOST = int(column("in_flight").high)


def clamped(iova_pages: str) -> tuple[str, float]:
    """The ``iova_pages`` of the same requests after the clamp, and the mean number of IOVAs a request."""
    pieces: defaultdict[int, float] = defaultdict(float)
    for pages, weight in zip(*parse_iova_pages(iova_pages), strict=True):
        whole, rest = divmod(pages, RCACHE_MAX_PAGES)
        pieces[RCACHE_MAX_PAGES] += whole * weight
        pieces[rest] += weight
    mix = {pages: weight for pages, weight in sorted(pieces.items()) if pages and weight}
    iovas = sum(mix.values())
    return ",".join(f"{pages}:{weight / iovas:.6g}" for pages, weight in mix.items()), iovas


def answer(host: HostClass) -> Changes | NoEffect:
    """The same requests in IOVAs of at most 32 pages."""
    scenario = host.scenario
    if max(parse_iova_pages(scenario["iova_pages"])[0]) <= RCACHE_MAX_PAGES:
        return NoEffect(f"no IOVA is above {RCACHE_MAX_PAGES} pages")
    mix, iovas = clamped(scenario["iova_pages"])
    grown = {name: min(round(scenario[name] * iovas), MOST) for name in ("unmap_burst", "in_flight")}
    return Changes({"iova_pages": mix, **grown})


REMEDY = Remedy(
    "clamp", "I/O clamped to 128 KiB", "more requests for the same bytes, and the CPU time for them", answer
)
