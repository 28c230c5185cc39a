"""Baselines: what a grid's results were, and whether they still are.

What is compared are regions, not rows: a line is everything of a scenario but its rate, and says from which rate on it
chains and locks up, how near its safe part comes to the limit, and what memory it takes. ``boundary.py`` finds the
rates, ``lines.py`` makes lines of results, ``file.py`` keeps them as text, ``compare.py`` matches two baselines,
``changes.py`` says what moved on a line, ``document.py`` and ``junit.py`` show it, ``gate.py`` is what a sweep calls.
"""
