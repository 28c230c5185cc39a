"""One cell over time."""

from __future__ import annotations

import polars as pl

from sweep.document import Paragraph, Section
from sweep.report.answers.telling import TimeSeries, telling
from sweep.report.figures.series import over_time
from sweep.report.view import View


def section(view: View, time_series: TimeSeries) -> Section:
    """The picture, or a sentence why there is none."""
    classes = view.paired.loads.clear()
    if view.pair:
        classes = view.paired.loads.filter(pl.col("before") == view.shown[0], pl.col("after") == view.shown[1])
    told = telling(view.results, view.shown, classes, time_series)
    return Section("One cell over time", (Paragraph(told) if isinstance(told, str) else over_time(view, told),))
