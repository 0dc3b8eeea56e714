"""``mflow check``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metaflow_core.cli.exits import OK, RUNTIME

if TYPE_CHECKING:
    from metaflow_check.run import Outcome

__all__ = ["check"]


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--expect",
    "-e",
    "expected",
    metavar="YAML",
    multiple=True,
    type=click.Path(),
    help="What is expected; may be repeated.",
)
@click.option(
    "--write-baseline",
    metavar="JSON",
    type=click.Path(path_type=Path),
    help="Write who calls whom, for 'edges: baseline'.",
)
@click.option("--filter", "capture_filter", metavar="BPF", help="Only packets that pass this capture filter.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(("text", "json", "junit", "github")),
    default="text",
    show_default=True,
    help="Form of the verdicts.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the verdicts there.")
@click.option(
    "--junit", "junit_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write JUnit's XML there."
)
@click.option("--json", "as_json", is_flag=True, help="The verdicts as JSON; their shape is stable.")
def check(
    files: tuple[str, ...],
    *,
    expected: tuple[str, ...],
    write_baseline: Path | None,
    capture_filter: str | None,
    layout: str,
    out: Path | None,
    junit_file: Path | None,
    as_json: bool,
) -> int:
    """Check captures against what is expected of them: for continuous integration.

    Exit code 0 when every check passed, 1 when one failed, 78 when the expectations are wrong.

    \b
    mflow check test-run.pcap -e checks.yaml --junit report.xml
    mflow check good.pcap --write-baseline edges.json

    \b
    checks.yaml, for example:
      version: 1
      names: {gateway: 10.0.0.2, mysql: "10.0.0.5:3306"}
      checks:
        - errors: {}
        - latency: {server: mysql, quantile: 95, max: 20 ms}
        - edges: {required: ["gateway -> mysql"], baseline: edges.json}
    """
    from metaflow_check.expect.ends import Names
    from metaflow_check.expect.load import Expectations, load
    from metaflow_check.run import run
    from metaflow_core import read_pcap

    if not expected and write_baseline is None:
        raise click.UsageError("say what is expected with -e checks.yaml, or write a baseline with --write-baseline.")
    begun = time.monotonic()
    expectations = load(expected) if expected else Expectations((), Names({}))
    outcome = run(read_pcap(files, filter=capture_filter), expectations, capture_filter)
    if write_baseline is not None:
        from metaflow_check.baseline import write_baseline as write

        write(write_baseline, outcome.edges)
        print(f"{len(outcome.edges)} edges written to {write_baseline}.", file=sys.stderr)
    seconds = time.monotonic() - begun
    if junit_file is not None:
        _write(_render(outcome, "junit", files, seconds), junit_file)
    if expected:
        _write(_render(outcome, "json" if as_json else layout, files, seconds), out)
    return RUNTIME if outcome.failed else OK


def _render(outcome: Outcome, layout: str, files: tuple[str, ...], seconds: float) -> bytes:
    from metaflow_check.output.junit import junit
    from metaflow_check.output.text import github_lines, text_lines

    if layout == "junit":
        return junit(outcome.verdicts, files, seconds)
    if layout == "json":
        document = {
            "files": list(files),
            "passed": len(outcome.verdicts) - outcome.failed,
            "failed": outcome.failed,
            "checks": [dict(each.document()) for each in outcome.verdicts],
        }
        return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
    lines = github_lines(outcome.verdicts) if layout == "github" else text_lines(outcome.verdicts)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _write(body: bytes, target: Path | None) -> None:
    from metaflow_core.errors import InputError

    if target is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        target.write_bytes(body)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
