"""Phase maps: which machines and loads lock up, a column a policy; and the four classes of before and after."""

from __future__ import annotations

import polars as pl

from sweep.aggregate import highest, lowest
from sweep.document import Figure
from sweep.pairs import CLASSES
from sweep.report.answers.cells import class_cells, verdict_cells
from sweep.report.answers.words import count, listed, reach, si
from sweep.report.figures.maps import alt_text, lattice_of, rows_of, spread
from sweep.report.figures.panels import Column, Lattice, Panel, small_multiples
from sweep.report.figures.style import CLASS_STYLES, NO_VERDICT, VERDICT_STYLES, to_svg
from sweep.report.view import View
from workers.schema import LOCKED, VERDICTS


def phase_map(view: View, policies: tuple[str, ...], name: str) -> Figure:
    """Verdicts of these policies, the boundary of soft lockups drawn."""
    cells = verdict_cells(view.loads).filter(pl.col("policy").is_in(policies))
    lattice, rows = lattice_of(cells), rows_of(cells)
    columns = verdict_columns(view, cells, lattice, rows, policies)
    said = [f"{view.side(p)}: {locked:,} of {every:,} cells lock up" for p, (locked, every) in _locked(cells, policies)]
    svg = to_svg(name, lambda: small_multiples(lattice, rows, columns))
    return Figure(name, headline(cells, policies), svg, alt_text(rows, columns, said))


def verdict_columns(
    view: View, cells: pl.DataFrame, lattice: Lattice, rows: list[str], policies: tuple[str, ...]
) -> list[Column]:
    """A column of verdicts a policy; ``cells``: of ``answers.cells.verdict_cells``."""
    styles = (*VERDICT_STYLES.values(), NO_VERDICT)
    return [
        Column(view.side(policy), styles, tuple(_verdicts(cells, lattice, policy, row) for row in rows))
        for policy in policies
    ]


def _locked(cells: pl.DataFrame, policies: tuple[str, ...]) -> list[tuple[str, tuple[int, int]]]:
    """Of each policy how many cells lock up, and how many there are."""
    of = {policy: cells.filter(policy=policy) for policy in policies}
    return [(p, (here.filter(verdict=LOCKED).height, here.height)) for p, here in of.items()]


def _verdicts(cells: pl.DataFrame, lattice: Lattice, policy: str, row: str) -> Panel:
    here = cells.filter(policy=policy, size_row=row)
    places = {verdict: code for code, verdict in enumerate(VERDICTS)}
    codes = here["verdict"].replace_strict(places, default=len(VERDICTS), return_dtype=pl.Int64)
    striped = spread(here, lattice, here["unchecked"].to_numpy()) > 0
    border = places[LOCKED], (places["ok"], places["chained"])
    return Panel(_verdict_title(here), spread(here, lattice, codes.to_numpy()), striped, border)


def _verdict_title(here: pl.DataFrame) -> str:
    """What the cells of a panel say; with a ! where some count as safe that expect a lockup, as in tables."""
    if here.is_empty():
        return "not run"
    mark = " !" * bool(here["expecting"].sum())
    locked = here.filter(verdict=LOCKED)
    if locked.height:
        cpus, rate = (
            reach(lowest(locked[axis]) or 0, highest(locked[axis]) or 0, highest(here[axis]) or 0, show)
            for axis, show in (("cell_cpus", "{:g}".format), ("cell_rate", si))
        )
        return f"{locked.height} of {here.height} lock up: {cpus} CPUs, {rate}/s{mark}"
    open_, chained = here["verdict"].null_count(), here.filter(verdict="chained").height
    if open_:
        return f"no lockup seen{mark}; {open_} of {here.height} not known"
    return f"never locks up{mark}; {chained} of {here.height} chain" if chained else f"never locks up{mark}"


def headline(cells: pl.DataFrame, policies: tuple[str, ...]) -> str:
    """How much locks up under each policy, in one sentence."""
    counts = _locked(cells, policies)
    if not any(locked for _, (locked, _) in counts):
        known = cells["verdict"].null_count() == 0
        return f"{'Nothing locks up' if known else 'No lockup seen'} with {listed(list(policies))}"
    first, *others = [f"{locked:,} of {every:,}" for _, (locked, every) in counts]
    rest = [f"{count} with {policy}" for count, policy in zip(others, policies[1:], strict=True)]
    return listed([f"{first} machine and load cells lock up with {policies[0]}", *rest])


def class_map(view: View) -> Figure | None:
    """What the second policy changes, cell by cell; None where no scenario was run under both."""
    if not view.pair:
        return None
    before, after = view.shown
    cells = class_cells(view.loads, view.paired.loads, before, after)
    if cells.is_empty():
        return None
    shown = verdict_cells(view.loads).filter(pl.col("policy").is_in(view.shown))
    lattice, rows = lattice_of(shown), rows_of(shown)
    places = {name: code for code, name in enumerate(CLASS_STYLES)}
    panels = []
    for row in rows:
        here = cells.filter(size_row=row)
        codes = here["class"].replace_strict(places, default=len(places), return_dtype=pl.Int64)
        striped = spread(here, lattice, here["unchecked"].to_numpy()) > 0
        panels.append(Panel(_class_title(here), spread(here, lattice, codes.to_numpy()), striped))
    column = Column(f"{before} against {after}", (*CLASS_STYLES.values(), NO_VERDICT), tuple(panels))
    sums = {name: int(cells[name].sum()) for name in CLASSES}
    said = [f"{count(sums[name], 'pair')} {style.label}" for name, style in CLASS_STYLES.items()]
    locked = sums["fixed"] + sums["locked_in_both"]
    title = (
        f"{after} fixes {sums['fixed']:,} of the {count(locked, 'scenario')} that lock up with {before}"
        f" and breaks {sums['broken_by_patch']:,}"
        if locked or sums["broken_by_patch"]
        else f"No scenario locks up, neither with {before} nor with {after}"
    )
    svg = to_svg("classes", lambda: small_multiples(lattice, rows, [column]))
    return Figure("classes", title, svg, alt_text(rows, [column], said))


def _class_title(here: pl.DataFrame) -> str:
    if here.is_empty():
        return "no scenario run under both"
    parts = [
        f"{here[n].sum():,} {t}"
        for n, t in (("fixed", "fixed"), ("locked_in_both", "locked in both"), ("broken_by_patch", "broken"))
        if here[n].sum()
    ]
    every = count(int(here["pairs"].sum()), "pair")
    return f"of {every} {', '.join(parts)}" if parts else f"all {every} safe in both"
