"""The report of a sweep but for the question how far to trust it: the answer first, then a chapter a section."""

from __future__ import annotations

import polars as pl

from sweep.document import Block, Bullets, Paragraph, Section
from sweep.report.answers import findings
from sweep.report.chapters import callbacks, failures, knobs, maps, over_time, price, safe_rates
from sweep.report.inputs import Results
from sweep.report.view import View, view_of
from workers.series import TimeSeries, time_series


def lead(results: Results) -> tuple[Block, ...]:
    """What a reader who stops there should know: what the patch does and does not, in sentences, and the safe rates."""
    view = view_of(results)
    if not _decided(view):
        return (Paragraph("No scenario of this sweep has a verdict, so nothing can be said of any machine."),)
    return (Bullets(tuple(_said(view))), *safe_rates.lead(view))


def sections(results: Results, time_series: TimeSeries = time_series) -> tuple[Section, ...]:
    """The chapters that these results have something for; one cell is simulated again by ``time_series``."""
    view = view_of(results)
    if not _decided(view):
        return tuple(filter(None, [failures.section(view)]))
    found = [
        safe_rates.section(view),
        maps.section(view),
        price.section(view),
        callbacks.section(view),
        knobs.section(view),
        over_time.section(view, time_series),
        failures.section(view),
    ]
    return tuple(section for section in found if section is not None)


def _decided(view: View) -> bool:
    return bool((view.loads["scenarios"] > view.loads["undecided"]).any())


def _said(view: View) -> list[str]:
    """The findings, in the order in which they matter."""
    if view.pair:
        said = findings.compared(view.loads, view.paired, *view.shown)
        said += findings.price(view.paired, view.loads, *view.shown)
    else:
        said = [line for policy in view.shown for line in findings.alone(view.loads, policy)]
    return said + findings.undecided(view.loads.filter(pl.col("policy").is_in(view.shown)))
