"""Verdicts as lines, for people, and as annotations, for GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metaflow_check.measure.verdict import Verdict

__all__ = ["github_lines", "text_lines"]


def text_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Each check with what was found; of those that failed also what was wanted, and where."""
    for each in verdicts:
        yield f"{'ok  ' if each.passed else 'FAIL'}  {_line(each.name)}: {_line(each.found)}"
        if not each.passed:
            place = each.file if each.line is None else f"{each.file}:{each.line}"
            yield f"      wanted: {each.wanted}  ({place})"
            for example in each.examples:
                yield f"      {_line(example)}"
    failed = sum(not each.passed for each in verdicts)
    yield ""
    yield (
        f"{len(verdicts) - failed} of {len(verdicts)} checks passed."
        if failed
        else f"All {len(verdicts)} checks passed."
    )


def github_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Annotations of failed checks. Source: GitHub, "Workflow commands", error."""
    for each in verdicts:
        if not each.passed:
            said = "\n".join((f"{each.found}; wanted: {each.wanted}", *each.examples))
            line = f",line={each.line}" if each.line is not None else ""
            yield f"::error file={_property(each.file)}{line},title={_property(each.name)}::{_data(said)}"


def _line(text: str) -> str:
    """Text from the network on one line, without control characters."""
    return "".join(char if char.isprintable() else "·" for char in text)


def _data(text: str) -> str:
    clean = "".join(char if char.isprintable() or char == "\n" else "·" for char in text)
    return clean.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
