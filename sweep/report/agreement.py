"""What a version of the model agreed with: conf/agreement.json, by ``benchmarks/model_agreement.py --write``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

NAME = "agreement.json"


@dataclass(frozen=True)
class Agreement:
    """``figures``: (name, measured, target, whether it is met); ``slices``: (name, rows, share of rows whose class is
    right). ``rows`` scenarios were run by both, by ``command``."""

    model_version: str
    rows: int
    command: str
    figures: tuple[tuple[str, str, str, bool], ...]
    slices: tuple[tuple[str, int, float], ...]


def agreement() -> Agreement | None:
    """What is packaged; None where it was not measured."""
    try:
        found = json.loads(resources.files("conf").joinpath(NAME).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Agreement(
        found["model_version"],
        found["rows"],
        found["command"],
        tuple((each["name"], each["measured"], each["target"], each["met"]) for each in found["figures"]),
        tuple((each["name"], each["rows"], each["class_right"]) for each in found["slices"]),
    )
