"""Which knob moves the boundary, and rules that say in words where lockups are."""

from __future__ import annotations

from sweep.document import Block, Column, Paragraph, Section, Table
from sweep.report.answers.knobs import sensitivity
from sweep.report.answers.rules import LEAST_SCENARIOS, Rules, rules_of
from sweep.report.answers.words import count, share
from sweep.report.figures.knobs import knob_bars
from sweep.report.view import View

NOTE = (
    "Coverage: how many of all scenarios that lock up meet the conditions. Precision: how many of those that meet them"
    " lock up. Every limit is a value that was run, and says nothing of values between. Address space in flight is"
    " active CPUs x IOVAs in flight x their pages, as the allocator rounds them. Found by cutting boxes out of all"
    " scenarios, as PRIM does."
)


def section(view: View) -> Section:
    """The bars, and the rules of each policy shown."""
    bars = knob_bars(view, sensitivity(view.results.table, view.shown))
    first: Block = bars or Paragraph(
        "No two scenarios differ in one knob alone, so none can be told to move the boundary."
    )
    rules = [_rules(view, policy) for policy in view.shown]
    note = [Paragraph(NOTE)] if any(isinstance(block, Table) for block in rules) else []
    return Section("What moves the boundary", (first, *rules, *note))


def _rules(view: View, policy: str) -> Block:
    found = rules_of(view.results.table, policy)
    title = f"Locks up when: {view.side(policy)}"
    if not found.locked:
        return Paragraph(f"{title}: never; none of {count(found.rows, 'scenario')} locks up.")
    if not found.rules:
        few = f"; rules are looked for from {LEAST_SCENARIOS} scenarios on" if found.rows < LEAST_SCENARIOS else ""
        return Paragraph(f"{title}: no plain rule; {found.locked:,} of {count(found.rows, 'scenario')} lock up{few}.")
    columns = (
        Column("locks up when"), Column("scenarios", True), Column("lock up", True), Column("coverage", True),
        Column("precision", True),
    )  # fmt: skip
    rows = [
        (r.text, f"{r.rows:,}", f"{r.locked:,}", share(r.locked, found.locked), share(r.locked, r.rows))
        for r in found.rules
    ]
    return Table(title, columns, (*rows, *_together(found)))


def _together(found: Rules) -> list[tuple[str, ...]]:
    if len(found.rules) < 2:
        return []
    held, rows = found.held, found.held_rows
    return [("any of these", f"{rows:,}", f"{held:,}", share(held, found.locked), share(held, rows))]
