"""What a remedy is, and what it answers of a host class.

It answers with the scenario columns that it changes, for the model to run (``Changes``); with a verdict that
follows by rule (``ByRule``); or with why it changes nothing on this host (``NoEffect``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sweep.capacity.fleet import HostClass


@dataclass(frozen=True)
class Changes:
    """Scenario columns with the values that they have under the remedy."""

    columns: dict[str, Any]


@dataclass(frozen=True)
class ByRule:
    """It cannot lock up, and no run is needed to know."""

    why: str


@dataclass(frozen=True)
class NoEffect:
    """It changes nothing here."""

    why: str


Answer = Changes | ByRule | NoEffect


@dataclass(frozen=True)
class Remedy:
    """``name``: in columns and ids; ``said``: as a reader knows it; ``price``: what it costs beside what is run."""

    name: str
    said: str
    price: str
    answer: Callable[[HostClass], Answer]
