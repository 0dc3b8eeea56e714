"""Verdicts as JUnit's XML, which every build server reads.

Source: the schema of Jenkins' xunit plugin (junit-10.xsd): testsuites, testsuite, testcase, failure, system-out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from metaflow_check.measure.verdict import Verdict

__all__ = ["junit"]

# what XML 1.0 has no form of, not even escaped (2.2 Characters)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdicts: Sequence[Verdict], files: Sequence[str], seconds: float) -> bytes:
    """The document."""
    failed = sum(not each.passed for each in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}
    root = ElementTree.Element("testsuites", {"name": "mflow check", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(", ".join(files)), "skipped": "0", **counts})
    for each in verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {"classname": f"traffic.{each.kind}", "name": _clean(each.name), "file": _clean(each.file), "time": "0"},
        )
        if each.line is not None:
            case.set("line", str(each.line))
        if not each.passed:
            message = _clean(f"{each.found}; wanted: {each.wanted}")
            failure = ElementTree.SubElement(case, "failure", {"type": each.kind, "message": message})
            failure.text = _clean("\n".join(each.examples))
        else:
            ElementTree.SubElement(case, "system-out").text = _clean(each.found)
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("·", text)
