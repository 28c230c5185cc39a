"""The report of a sweep but for the question how far to trust it: the answer first, then a chapter a section."""

from __future__ import annotations

from sweep.document import Block, Section
from sweep.report.chapters import safe_rates
from sweep.report.inputs import Results
from sweep.report.view import view_of


def lead(results: Results) -> tuple[Block, ...]:
    """What a reader who stops there should know: the safe rates."""
    return tuple(safe_rates.lead(view_of(results)))


def sections(results: Results) -> tuple[Section, ...]:
    """The chapters that these results have something for."""
    view = view_of(results)
    found = [safe_rates.section(view)]
    return tuple(section for section in found if section is not None)
