"""A comparison as JUnit XML: a test a line, so that any CI shows which line moved.

Elements and attributes are those that the schema of Jenkins' xunit plugin (junit-10.xsd) and GitHub's and GitLab's
readers share. There are no times: results are compared, not timings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from sweep.baseline.compare import Comparison
from sweep.baseline.document import sentence

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, however written."""


def xml(found: Comparison) -> bytes:
    """The file, the same bytes for equal comparisons."""
    name = _plain(f"baseline.{found.grid}")
    cases = list(_cases(found))
    failures = sum(1 for _, kind, _ in cases if kind)
    counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}
    suites = ElementTree.Element("testsuites", {"name": name} | counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name} | counts | {"skipped": "0"})
    if found.causes:
        properties = ElementTree.SubElement(suite, "properties")
        for cause in found.causes:
            ElementTree.SubElement(properties, "property", {"name": "differs", "value": _plain(cause)})
    for label, kind, texts in cases:
        case = ElementTree.SubElement(suite, "testcase", {"name": _plain(label), "classname": name})
        if kind:
            failure = ElementTree.SubElement(case, "failure", {"type": kind, "message": _plain(texts[0])})
            failure.text = _plain("\n".join(texts))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _cases(found: Comparison) -> Iterator[tuple[str, str, list[str]]]:
    """Of each line its label, the kind of its gravest change ("": none) and the sentences."""
    moved = {line.label: line for line in found.moved}
    for label in found.labels:
        changes = moved[label].changes if label in moved else ()
        yield label, changes[0].kind if changes else "", [sentence(change) for change in changes]
    for label in found.added:
        yield label, "added", ["not in the baseline"]
    for label in found.removed:
        yield label, "removed", ["in the baseline only"]


def _plain(text: str) -> str:
    return NOT_XML.sub("�", text)
