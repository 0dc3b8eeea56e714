"""``mflow doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metaflow_core.api import FindingState
from metaflow_core.cli.exits import OK, RUNTIME
from metaflow_core.cli.output import print_json

if TYPE_CHECKING:
    from metaflow_core.hooks.examine import Examined

__all__ = ["doctor"]

_MARKS = {
    FindingState.OK: ("ok", "green"),
    FindingState.NOTE: ("note", "cyan"),
    FindingState.MISSING: ("missing", "yellow"),
    FindingState.PROBLEM: ("PROBLEM", "red"),
}


@click.command()
@click.option("--url", metavar="URL", help="A running instance, e.g. http://server:8088; it has to answer.")
@click.option("--token", metavar="TOKEN", help="Token of the instance; default METAFLOW_TOKEN of the environment.")
@click.option("--data", type=click.Path(path_type=Path), help="Where data is kept. Default: ~/.local/state/metaflow.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8088,
    show_default=True,
    help="Port that MetaFlow listens on, or would.",
)
@click.option("--only", metavar="A,B", help="Only these examinations, e.g. kernel,privileges.")
@click.option(
    "--all", "show_all", is_flag=True, help="Also what is in order, which is left out of long lists otherwise."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when anything is missing, not only at a problem.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output; its shape is stable.")
def doctor(
    *,
    url: str | None,
    token: str | None,
    data: Path | None,
    port: int,
    only: str | None,
    show_all: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Say what this machine has and lacks for MetaFlow, and what to do.

    Kernel, privileges, interfaces, ports, disk, store, plugins, and what each stage of a running instance counted. Changes
    nothing and needs no root. Exit code 1 when something that is installed or was asked for cannot work.
    """
    from metaflow_core.api import Surroundings
    from metaflow_core.cli.installed import plugin_host
    from metaflow_core.hooks.examine import examine

    host = plugin_host()
    surroundings = Surroundings(
        data_dir=(data or _default_data()).absolute(),
        port=port,
        url=url or "",
        is_asked=url is not None,
        token=token or os.environ.get("METAFLOW_TOKEN", ""),
    )
    found = examine(host, surroundings)
    names = list(dict.fromkeys(each.examination for each in found))
    if only is not None:
        wanted = _wanted(only, names)
        found = [each for each in found if each.examination in wanted]
    counts = {state.value: sum(each.finding.state is state for each in found) for state in FindingState}
    if as_json:
        print_json({"counts": counts, "findings": [each.document() for each in found]})
    else:
        for line in _lines(found, show_all=show_all or only is not None, colour=sys.stdout.isatty()):
            print(line)
        print(_verdict(counts))
    bad = counts["problem"] + (counts["missing"] if strict else 0)
    return RUNTIME if bad else OK


def _default_data() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "metaflow"


def _wanted(only: str, names: list[str]) -> set[str]:
    import difflib

    wanted = {part.strip() for part in only.split(",") if part.strip()}
    for name in sorted(wanted - set(names)):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        raise click.UsageError(f"There is no examination {name!r}; {hint}")
    return wanted


def _lines(found: Iterable[Examined], *, show_all: bool, colour: bool) -> Iterator[str]:
    groups: dict[str, list[Examined]] = {}
    for each in found:
        groups.setdefault(each.examination, []).append(each)
    for name, members in groups.items():
        yield f"{name[:1].upper()}{name[1:]}" if name.islower() else name
        good = [each for each in members if each.finding.state is FindingState.OK]
        # long lists of what is in order hide what is not
        hidden = 0 if show_all or len(good) <= 4 else len(good) - 2
        left = hidden
        for each in members:
            if each.finding.state is FindingState.OK and left:
                left -= 1
                continue
            yield from _finding(each, colour=colour)
        if hidden:
            yield f"  {'':9}and {hidden} more in order (--all shows them)"
        yield ""


def _finding(each: Examined, *, colour: bool) -> Iterator[str]:
    word, shade = _MARKS[each.finding.state]
    mark = click.style(f"{word:9}", fg=shade) if colour and not os.environ.get("NO_COLOR") else f"{word:9}"
    yield f"  {mark}{_line(each.finding.subject)}: {_line(each.finding.said)}"
    if each.finding.remedy and each.finding.state is not FindingState.OK:
        yield f"  {'':9}  -> {_line(each.finding.remedy)}"


def _line(text: str) -> str:
    """Text from elsewhere on one line, without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def _verdict(counts: dict[str, int]) -> str:
    if counts["problem"]:
        return f"{counts['problem']} problem{'s' if counts['problem'] != 1 else ''}, {counts['missing']} missing."
    if counts["missing"]:
        return f"No problem; {counts['missing']} thing{'s' if counts['missing'] != 1 else ''} cannot be done here (see 'missing')."
    return "Everything is in order."
