"""The JUnit file: what the common schema asks for, and nothing that it does not know."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from sweep.baseline.compare import Comparison, Moved, compare
from sweep.baseline.junit import xml
from tests.sweep.baseline.tables import baseline, cell
from tests.sweep.document.documents import HOSTILE

COUNTS = ("tests", "failures", "errors")
SCHEMA: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "testsuites": (("testsuite",), (), ("name", "time", *COUNTS)),
    "testsuite": (
        ("testsuite", "properties", "testcase", "system-out", "system-err"),
        ("name", *COUNTS),
        ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"),
    ),
    "properties": (("property",), (), ()),
    "property": ((), ("name", "value"), ()),
    "testcase": (
        ("skipped", "error", "failure", "system-out", "system-err"),
        ("name",),
        ("time", "classname", "group"),
    ),
    "failure": ((), (), ("type", "message")),
}
"""Children, required and optional attributes of each element that we use: junit-10.xsd of Jenkins' xunit plugin."""


def check(element: ElementTree.Element) -> None:
    children, required, optional = SCHEMA[element.tag]
    assert set(required) <= set(element.keys()) <= {*required, *optional}
    assert element.tag == "failure" or not (element.text or "").strip()
    for child in element:
        assert child.tag in children
        check(child)


def found() -> Comparison:
    was = baseline(cell(3000), cell(3000, cpus=64), cell(3000, cpus=8))
    return compare(was, baseline(cell(3000, 20), cell(3000, cpus=64), cell(3000, cpus=4), model_version="2"))


def saying(text: str) -> Comparison:
    """The same with ``text`` wherever a text can be."""
    change = dataclasses.replace(found().moved[0].changes[0], text=text, why=text)
    parts = {"labels": ("calm", text), "added": (text + "1",), "removed": (text + "2",), "causes": (text,)}
    return dataclasses.replace(found(), grid=text, moved=(Moved(text, (change,)),), **parts)


def test_a_test_for_each_line() -> None:
    root = ElementTree.fromstring(xml(found()))
    check(root)
    (suite,) = root
    cases = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "3", "0")
    assert len(cases) == 4
    assert {case.get("name"): [failure.get("type") for failure in case] for case in cases} == {
        "list, 16 pages, 64 CPUs": [],
        "list, 16 pages, 128 CPUs": ["chains"],
        "list, 16 pages, 4 CPUs": ["added"],
        "list, 16 pages, 8 CPUs": ["removed"],
    }
    assert [p.get("value") for p in suite.iter("property")] == ["the model's version is 2, was 1"]
    assert "chains already at 3k unmaps/s, was not up to 3k" in (suite.findtext("testcase/failure") or "")


def test_equal_comparisons_give_equal_bytes() -> None:
    assert xml(found()) == xml(found())


@pytest.mark.parametrize("text", [*HOSTILE, "\x00\ufffe\udc80"])
def test_no_text_becomes_markup_or_breaks_the_file(text: str) -> None:
    root = ElementTree.fromstring(xml(saying(text)))
    check(root)
    plain = ElementTree.fromstring(xml(found()))
    assert [element.tag for element in root.iter()] == [element.tag for element in plain.iter()]
