"""``mflow wasm build|test|inspect``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click

__all__ = ["wasm"]

_FOLDER = click.argument(
    "folder", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output; its shape is stable.")


@click.group()
def wasm() -> None:
    """Build, test and inspect WebAssembly parsers.

    'mflow new plugin parser NAME --wasm --lang c' makes a folder to begin with.
    """


@wasm.command()
@_FOLDER
def build(*, folder: Path) -> None:
    """Build the parser in DIR.

    The language is seen from the files: .c and .zig need ziglang (pip), .ts needs assemblyscript (npm), Cargo.toml needs cargo.
    """
    from metaflow_wasm_tools.building import build as build_project
    from metaflow_wasm_tools.project import Project

    project = Project.find(folder)
    build_project(project)
    print(f"{project.artifact}: {project.artifact.stat().st_size} bytes, from {project.language}.")


@wasm.command()
@_FOLDER
@click.option(
    "--pcap",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also play the TCP connections of a capture.",
)
@_JSON
def test(*, folder: Path, pcap: Path | None, as_json: bool) -> int:
    """Run the test cases of DIR (testcases/*.toml) under the limits of the manifest.

    Each case is played as it is, cut at every byte, byte by byte, cut short and damaged.
    """
    from metaflow_core.errors import InputError
    from metaflow_wasm_tools.cases import Case, check_case
    from metaflow_wasm_tools.project import Project
    from metaflow_wasm_tools.running import load

    project = Project.find(folder)
    if not project.cases and pcap is None:
        raise InputError(f"{folder}: there is no test case; write one as testcases/NAME.toml (mflow wasm test --help)")
    create = load(project)
    results = {path.name: check_case(Case.read(path), create) for path in project.cases}
    failed = sum(bool(wrong) for wrong in results.values())
    if pcap is not None:
        from metaflow_wasm_tools.captures import play_capture

        played = play_capture(pcap, create())
        results[pcap.name] = [f"{count} batches lost: {reason}" for reason, count in played.faults.items()]
        failed += bool(played.faults)
        if not as_json:
            shown = ", ".join(f"{count} {name}" for name, count in sorted(played.records.items())) or "no record"
            print(f"{pcap.name}: {played.connections} connections, {played.accepted} taken, {shown}.")
    if as_json:
        print(json.dumps({"cases": results, "failed": failed}, ensure_ascii=False, indent=2))
        return 1 if failed else 0
    for name, wrong in results.items():
        print(f"{'failed' if wrong else 'passed'}  {name}")
        for sentence in wrong:
            print(f"        {sentence}")
    print(f"{len(results) - failed} of {len(results)} cases passed.")
    return 1 if failed else 0


@wasm.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_JSON
def inspect(*, file: Path, as_json: bool) -> int:
    """Show what a module imports and exports and whether it is a parser of this ABI. Nothing of it runs."""
    from metaflow_core.api import ParserManifest
    from metaflow_wasm_tools.binary import read_module
    from metaflow_wasm_tools.verdict import problems

    data = file.read_bytes()
    view = read_module(data)
    beside = file.with_suffix(".metaflow.toml")
    manifest = ParserManifest.read(beside) if beside.exists() else None
    wrong = problems(view, manifest.limits.memory_mib if manifest else None)
    document: dict[str, Any] = {
        "file": str(file),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "verdict": "ok" if not wrong else "refused",
        "problems": wrong,
        "imports": view.imports,
        "exports": view.exports,
        "memory_mib": view.memory_pages / 16,
        "has_start": view.has_start,
        "manifest": manifest.model_dump(mode="json") if manifest else None,
    }
    if as_json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _show(document)
    return 1 if wrong else 0


def _show(document: dict[str, Any]) -> None:
    print(f"{document['file']}: {document['size']} bytes, sha256 {document['sha256']}")
    print(
        f"  memory   {document['memory_mib']:g} MiB at the start"
        + (", runs code when it starts" if document["has_start"] else "")
    )
    for title in ("imports", "exports"):
        print(f"  {title}  " + (", ".join(f"{name}: {kind}" for name, kind in document[title].items()) or "none"))
    manifest = document["manifest"]
    if manifest is None:
        print("  manifest none beside it")
    else:
        limits = manifest["limits"]
        print(f"  manifest {manifest['type']} {manifest['version']}, protocols {manifest['protocols']}")
        print(
            f"  limits   {limits['memory_mib']} MiB, {limits['deadline_ms']} ms and {limits['batch_bytes']} bytes a batch"
        )
    if document["problems"]:
        print("  not a parser of this ABI:")
        for sentence in document["problems"]:
            print(f"    {sentence}")
    else:
        print("  a parser of mf_abi_v1")
