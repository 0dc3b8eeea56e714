"""Dashboards against the types that Grafana publishes (npm, ``@grafana/schema``), by the TypeScript compiler."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from metaflow_grafana.dashboards import boards
from metaflow_grafana.panels import Board, Panel, promql

from metaflow_core.model.catalog import load_catalog

PEERS = Path(__file__).with_name("peers")
COMPILER = PEERS / "node_modules" / "typescript" / "bin" / "tsc"
TYPES = PEERS / "node_modules" / "@grafana" / "schema" / "dist" / "types" / "raw" / "composable"
OPTIONS = ("--noEmit", "--strict", "--module", "nodenext", "--moduleResolution", "nodenext", "--skipLibCheck")


def checked(documents: list[dict[str, Any]], folder: Path) -> list[str]:
    """What the compiler says of dashboards that are written down as values of Grafana's types."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is missing; install Node 20 or newer")
    if not COMPILER.is_file():
        pytest.skip(f"@grafana/schema is not installed; run: npm install --prefix {PEERS}")
    (folder / "node_modules").symlink_to(PEERS / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    kinds = sorted({panel["type"].lower() for document in documents for panel in document["panels"]})
    lines = [
        'import type { Dashboard, VariableModel } from "@grafana/schema";',
        # of variables of queries; Grafana writes it into every one of them, its type leaves it out
        "type Variable = VariableModel & { definition?: string };",
        'type Board = Omit<Dashboard, "templating"> & { templating: { list: Variable[] } };',
    ]
    for kind in kinds:
        if not (TYPES / kind).is_dir():
            raise AssertionError(f"Grafana's own panels include no {kind}")
        lines.append(
            f"type {kind} = Partial<import({json.dumps(str(TYPES / kind / 'panelcfg/x/types.gen.js'))}).Options>;"
        )
    for number, document in enumerate(documents):
        lines.append(f"export const board{number}: Board = {json.dumps(document)};")
        lines += [
            f"export const options{number}_{panel['id']}: {panel['type'].lower()} = {json.dumps(panel['options'])};"
            for panel in document["panels"]
        ]
    (folder / "boards.ts").write_text("\n".join(lines))
    done = subprocess.run(
        [node, str(COMPILER), *OPTIONS, "boards.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return [line for line in done.stdout.splitlines() if re.match(r"\S", line)]


def test_every_dashboard_is_one(tmp_path: Path) -> None:
    documents = [board.document() for board in boards(load_catalog())]
    assert checked(documents, tmp_path) == []


def test_mistakes_would_be_found(tmp_path: Path) -> None:
    document = Board("x", "X", [Panel("P", "stat", [promql("up")], options={"orientation": 7})]).document()
    document["links"] = [{"type": "dashboards", "title": "without the rest"}]
    document["panels"][0]["gridPos"]["w"] = "wide"
    found = "\n".join(checked([document], tmp_path))
    for word in ("VizOrientation", "'string' is not assignable to type 'number'", "DashboardLink"):
        assert word in found, found
