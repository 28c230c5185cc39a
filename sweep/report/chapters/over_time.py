"""One cell over time."""

from __future__ import annotations

from sweep.document import Paragraph, Section
from sweep.report.answers.telling import telling
from sweep.report.figures.series import over_time
from sweep.report.view import View
from workers.series import TimeSeries


def section(view: View, time_series: TimeSeries) -> Section:
    """The picture, or a sentence why there is none."""
    classes = view.paired.loads.filter(before=view.shown[0], after=view.shown[-1])  # none of a policy with itself
    told = telling(view.results, view.shown, classes, time_series)
    return Section("One cell over time", (Paragraph(told) if isinstance(told, str) else over_time(view, told),))
