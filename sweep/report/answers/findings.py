"""What the second policy does and does not, in sentences: each says what rows of this sweep say, with their counts."""

from __future__ import annotations

import polars as pl

from sweep.aggregate import highest, lowest
from sweep.config import RATE
from sweep.report.answers.callbacks import rearm_ms
from sweep.report.answers.paired import Paired, most_added
from sweep.report.answers.words import count, expecting, listed, mib, pages, seconds, share, too_short
from workers.schema import RCACHE_MAX_PAGES, parse_iova_pages

CACHED, MIXED, OVERSIZE = "cached", "mixed", "oversize"
KINDS = {
    CACHED: f"IOVAs of up to {RCACHE_MAX_PAGES} pages",
    MIXED: f"mixes of IOVAs up to and over {RCACHE_MAX_PAGES} pages",
    OVERSIZE: f"IOVAs over {RCACHE_MAX_PAGES} pages alone, which never enter the depot",
}
"""Whether the rcache, and with it the depot, holds the IOVAs of a load: all, some or none of them."""


def kind_of(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``kind``, one of KINDS, by its iova_pages."""
    sizes = {text: parse_iova_pages(text)[0] for text in frame["iova_pages"].unique().to_list()}
    kinds = {
        text: CACHED if max(s) <= RCACHE_MAX_PAGES else OVERSIZE if min(s) > RCACHE_MAX_PAGES else MIXED
        for text, s in sizes.items()
    }
    return frame.with_columns(pl.col("iova_pages").replace_strict(kinds, return_dtype=pl.String).alias("kind"))


def compared(loads: pl.DataFrame, paired: Paired, before: str, after: str) -> list[str]:
    """What ``after`` does to what locks up under ``before``, and what it does not; no sentence without its rows."""
    pairs = kind_of(paired.loads.filter(before=before, after=after))
    if pairs.is_empty():
        return [f"No scenario was run under both {before} and {after}, so nothing can be said of the patch."]
    kinds = kind_of(loads)
    said = [_in_all(pairs, before, after)]
    for kind, words in KINDS.items():
        here = pairs.filter(kind=kind)
        chain = [int(kinds.filter(kind=kind, policy=policy)["chained"].sum()) for policy in (before, after)]
        if here.height:
            said.append(_of_kind(here, words, (chain[0], chain[1])))
    return said + _many_cpus(kinds.filter(kind=CACHED, policy=after), loads, after)


def _in_all(pairs: pl.DataFrame, before: str, after: str) -> str:
    every, fixed, broken, both = (int(pairs[n].sum()) for n in ("pairs", "fixed", "broken_by_patch", "locked_in_both"))
    if not fixed + broken + both:
        return f"None of {count(every, 'pair')} locks up, neither with {before} nor with {after}."
    locked = fixed + both
    fixes = f"{after} fixes {f'{fixed:,} ({share(fixed, locked)})' if fixed else 'none'} and leaves {both:,}"
    worse = f"{broken:,} lock up only with {after}" if broken else "none locks up only with it"
    return f"Of {count(every, 'pair')} {locked:,} lock up with {before}{f': {fixes}' if locked else ''}; {worse}."


def _of_kind(pairs: pl.DataFrame, words: str, chain: tuple[int, int]) -> str:
    """The pairs of one of KINDS; ``chain``: how many scenarios chain before and after."""
    every, fixed, broken, both = (int(pairs[n].sum()) for n in ("pairs", "fixed", "broken_by_patch", "locked_in_both"))
    start = f"With {words} ({_sizes(pairs)}; {count(every, 'pair')}):"
    chains = f" {chain[0]:,} chain before, {chain[1]:,} after." if any(chain) else ""
    if not fixed + broken + both:
        return f"{start} nothing locks up, before or after.{chains}"
    parts = []
    if not both:
        parts.append(f"all {fixed:,} that lock up are fixed" if fixed else "none locks up before")
    else:
        since = f"from {lowest(pairs.filter(pl.col('locked_in_both') > 0)['cpus'])} CPUs on"
        some = f"{fixed:,} of {fixed + both:,} that lock up are fixed, the others lock up in both {since}"
        parts.append(some if fixed else f"none of {both:,} that lock up is fixed, {since}")
    if broken:
        since = f"from {lowest(pairs.filter(pl.col('broken_by_patch') > 0)['cpus'])} CPUs on"
        parts.append(f"{broken:,} lock up only after, {since}")
    return f"{start} {'; '.join(parts)}.{chains}"


def _sizes(pairs: pl.DataFrame) -> str:
    texts = sorted(pairs["iova_pages"].unique().to_list(), key=lambda text: (max(parse_iova_pages(text)[0]), text))
    return (
        listed(texts) + " pages"
        if len(texts) <= 5 and texts != ["1"]
        else pages("1")
        if texts == ["1"]
        else (f"{len(texts)} sizes from {texts[0]} to {texts[-1]} pages")
    )


def _many_cpus(cached: pl.DataFrame, loads: pl.DataFrame, after: str) -> list[str]:
    """What is left of loads that the depot can help, on the largest machines."""
    if cached.is_empty():
        return []
    bad = cached.filter(pl.col("locked") + pl.col("chained") > 0)
    locked, chained, every = (int(cached[name].sum()) for name in ("locked", "chained", "scenarios"))
    most = highest(cached["cpus"])
    if bad.height:
        return [
            f"With {KINDS[CACHED]} {after} still locks up in {locked:,} and chains in {chained:,} of"
            f" {count(every, 'scenario')}, from {lowest(bad['cpus'])} CPUs on; the largest machine run has {most}."
        ]
    few, many = lowest(cached["cpus"]), most
    ends = [cached.filter(cpus=cpus).drop_nulls("softirq_residency_max_ms") for cpus in (few, many)]
    load = ["iova_pages", RATE]
    ends = [ends[0].join(ends[1], on=load, how="semi"), ends[1].join(ends[0], on=load, how="semi")]
    seen = "no lockup or chain is known" if int(cached["undecided"].sum()) else "nothing locks up or chains"
    start = f"With {KINDS[CACHED]} {seen} with {after} on up to {many} CPUs, the most that was run"
    if few == many or ends[0].is_empty():
        return [f"{start}."]
    low_ms, high_ms = (highest(end["softirq_residency_max_ms"]) or 0.0 for end in ends)
    grows = "grows with the machine" if high_ms > low_ms else "does not grow with the machine"
    return [
        f"{start}; the longest stay {grows}: {seconds(low_ms / 1e3)} on {few} CPUs, {seconds(high_ms / 1e3)} on {many}"
        f" at the same rates, {share(high_ms, rearm_ms(loads)[0])} of the re-arm period."
    ]


def alone(loads: pl.DataFrame, policy: str) -> list[str]:
    """What the one policy of a sweep does: how much of each of KINDS locks up."""
    found = kind_of(loads.filter(policy=policy))
    said = []
    for kind, words in KINDS.items():
        here = found.filter(kind=kind)
        decided = int(here["scenarios"].sum()) - int(here["undecided"].sum())
        if not decided:
            continue
        locked, chained = int(here["locked"].sum()), int(here["chained"].sum())
        start = lowest(here.filter(pl.col("locked") > 0)["cpus"])
        since = f", from {start} CPUs on" if start is not None else ""
        said.append(
            f"With {words} ({_sizes(here)}) {locked:,} of {count(decided, 'scenario')} lock up with {policy}{since};"
            f" {chained:,} chain."
        )
    return said


def undecided(loads: pl.DataFrame) -> list[str]:
    """What has no verdict, was implied, expects a lockup or ran too short for one, or lies beyond what was checked."""
    every = int(loads["scenarios"].sum())
    failed, none, implied, unchecked = (int(loads[n].sum()) for n in ("failed", "undecided", "implied", "unchecked"))
    ran = every - none - implied
    said = []
    if none:
        parts = [f"{failed:,} failed"] * (failed > 0) + [f"{none - failed:,} are not known"] * (none > failed)
        said.append(f"Of {count(every, 'scenario')} {listed(parts)}; they are taken neither as safe nor as locked up.")
    if implied:
        said.append(f"{implied:,} of {count(every, 'verdict')} are implied by their neighbours, not run.")
    if doubtful := int(loads["expecting"].sum()):
        said.append(f"{expecting(doubtful)}; maps mark them with !.")
    if short := int(loads["short"].sum()):
        said.append(f"{too_short(short)}; give a longer horizon_s.")
    if unchecked:
        said.append(
            f"{unchecked:,} of {count(ran, 'scenario')} run ({share(unchecked, ran)}) lie outside the range in which"
            " the model was compared with the reference machine and agreed; maps show them striped."
        )
    return said


def price(paired: Paired, loads: pl.DataFrame, before: str, after: str) -> list[str]:
    """What the second policy adds at the peak."""
    added = most_added(paired, before, after)
    if added is None:
        return []
    space = [highest(loads.filter(policy=p)["iova_space_cached_peak_bytes"]) or 0 for p in (before, after)]
    reclaim = highest(loads.filter(policy=after)["depot_reclaim_s"]) or 0
    trimmed = f" The fullest depot takes {seconds(reclaim)} to trim." if 0 < reclaim < float("inf") else ""
    return [
        f"The price: {after} adds {mib(added.median_bytes)} MiB of peak memory at the median and"
        f" {mib(added.most_bytes)} MiB at most ({added.cpus} CPUs, IOVAs of {pages(added.iova_pages)}); cached IOVAs"
        f" hold up to {space[0] / 2**30:.3g} GiB of address space before, {space[1] / 2**30:.3g} GiB after.{trimmed}"
    ]
