"""YAML's numbers in base 60: it reads 32:1, a mix of IOVA sizes to everybody else, as 1921."""

from __future__ import annotations

import re

import yaml

from workers.schema import ScenarioError

BASE_60 = r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?"


def refuse_base_60(where: str, text: str) -> None:
    """Raises ScenarioError for the first such number in a file ``where``, whose ``text`` is known to be YAML."""
    for token in yaml.scan(text):
        if isinstance(token, yaml.ScalarToken) and token.plain and re.fullmatch(BASE_60, token.value):
            raise ScenarioError(
                f"{where}: {token.value} was given in line {token.start_mark.line + 1}, which YAML reads as a number in"
                f' base 60; allowed is the text in quotes, "{token.value}"'
            )
