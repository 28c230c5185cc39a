"""The report of a sweep: its results as one HTML page, as Markdown and as figures. ``python -m sweep.report DIR``.

``inputs.py`` reads a results folder, ``sections.py`` and ``trust.py`` say what it holds, ``page.py`` writes it.
"""
