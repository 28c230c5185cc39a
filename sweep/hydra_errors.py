"""What Hydra and OmegaConf have to say against a configuration, in one sentence each."""

from __future__ import annotations

import difflib
import re
from typing import Any, get_type_hints

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    ConfigTypeError,
    MissingMandatoryValue,
    ValidationError,
)

from sweep.config import SweepConfig

TABLES = ("grid", "host", "workload", "cluster")
_KEYS = {type(table).__name__: list(vars(table)) for table in (getattr(SweepConfig(), name) for name in TABLES)}
"""Keys of each table, by the name of its class, as OmegaConf's errors give it."""

_ONE = {
    str: "is a text",
    str | None: "is a text or null",
    bool: "are true and false",
    int | None: "is a whole number or null",
    float | None: "is a number or null",
    bool | None: "are true, false and null",
}
_ALLOWED = _ONE | {
    Any: "is a value, a list, {start, stop, num} or null",
    dict[str, Any]: "are keys with a value each, {KEY: VALUE}",
    list[dict[str, Any]]: "is a list of points, [{COLUMN: VALUE, COLUMN: VALUE}]",
}
"""What a key of each type may hold; of _ONE, which have no room for several values."""


def sentence(error: BaseException) -> str:
    """What is wrong, in one sentence: from the first error in the chain that knows the key."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    if isinstance(chain[-1], RecursionError):
        return "the configuration holds a value that contains itself or is nested too deeply"
    for link in chain:
        if isinstance(link, OverrideParseException):
            return f"{link.override!r} was given; it cannot be read as key=value"
        if isinstance(link, MissingConfigException) and link.missing_cfg_file:
            group, _, name = link.missing_cfg_file.rpartition("/")
            if not link.options:
                return f"defaults: {name!r} was given; there is no file {link.missing_cfg_file}.yaml"
            return f"{group}: {name!r} was given; allowed are {', '.join(link.options)}"
        if isinstance(link, (ConfigKeyError, ConfigAttributeError)) and link.parent_node is not None:
            return _unknown_key(str(link.full_key), link.parent_node)
        if isinstance(link, ValidationError) and (bad := re.match(r"Value '(.*)' is not a valid bool", str(link.msg))):
            return f"{link.full_key}: {bad[1]!r} was given; allowed are true and false"
        if (refused := _wrong_kind(str(error), link)) is not None:
            return refused
        if isinstance(link, ValidationError) and link.full_key:
            allowed = _ALLOWED.get(_type_of(str(link.full_key)))
            return f"{link.full_key}: {flat(str(link.msg))}" + (f"; allowed {allowed}" if allowed else "")
        if isinstance(link, UnicodeDecodeError):
            return f"a configuration file is no UTF-8 text ({link})"
    text = flat(str(error).partition("See https://")[0])
    if ambiguous := re.match(r"Ambiguous value for argument '([^=]+)=(.*?)' ", text):
        key, values = ambiguous[1].lstrip("+"), ambiguous[2]
        return f"{key}: {values!r} was given; {_one_or_listed(key, values)}"
    if beside := re.match(r"Multiple values for (\w+)\. To override a value use 'override \w+: (.*)'", text):
        group, name = beside[1], beside[2]
        if group == "grid":
            return f"grid: {name!r} was given beside another; allowed is one"
        return f"{group}: {name!r} was given with +, as one more; allowed is one, {group}={name}"
    if absent := re.match(r"Additional config directory ('.*' not found)", text):
        return f"--config-dir: {absent[1]}; allowed is the path of a folder"
    if text.startswith("Error merging override "):
        return f"{text.removeprefix('Error merging override ')!r} was given; {flat(str(chain[-1])).rstrip('.')}"
    if composing := re.match(r"In '([^']+)': \w+ raised while composing config: (.*)", text):
        where, text = f"{composing[1]}.yaml", composing[2]
        key = re.match(r"Key '(.+)' not in '(\w+)'", text)
        known = _KEYS.get(key[2]) if key else None
        text = f"{where}: {unknown(key[1], known) if key and known else text}"
    return text


def _wrong_kind(error: str, link: BaseException) -> str | None:
    """What a key was given, and what its type allows; None where that is not what went wrong, or cannot be told."""
    override = re.match(r"Error merging override \+*([^=]+)=(.*)", error)
    if isinstance(link, MissingMandatoryValue):
        key, given = str(link.full_key), "???"  # OmegaConf's own sign for a value yet to come
    elif override and isinstance(link, (ValidationError, ConfigTypeError)) and "be converted" not in str(link.msg):
        key, given = override.groups()
    else:
        return None
    allowed = _ALLOWED.get(_type_of(key))
    return allowed and f"{key}: {given!r} was given; allowed {allowed}"


def _one_or_listed(key: str, values: str) -> str:
    """What several values with commas between them should have been."""
    if _type_of(key) not in _ONE:
        return f"a list stands in brackets: {key}=[{values}]"
    group, _, name = key.rpartition(".")
    hint = f"; several are an axis, grid.{name}=[{values}]" if group in ("host", "workload") else ""
    return f"allowed is one{hint}"


def _type_of(full_key: str) -> Any:
    """The type that the schema gives a key; None for an unknown one."""
    group, _, name = full_key.rpartition(".")
    table = getattr(SweepConfig(), group) if group in TABLES else SweepConfig()
    return get_type_hints(type(table)).get(name)


def _unknown_key(full_key: str, parent: Any) -> str:
    return unknown(full_key, [str(key) for key in parent if key != "hydra"] if isinstance(parent, DictConfig) else [])


def unknown(full_key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(full_key.rpartition(".")[2], known, n=1)
    return f"{full_key}: unknown key; " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")


def flat(text: str) -> str:
    """Several lines as one; what OmegaConf repeats about keys and types left out."""
    lines = [line.strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"(full_key|object_type|reference_type)[:=]", line))
