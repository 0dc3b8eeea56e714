"""``mflow explain tag``: who says what of an address at a time, and whose word counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
collectors:
  pcap: {files: [x.pcap]}
taggers:
  file: {files: [first.yaml]}
  file/second: {files: [second.yaml]}
  file/broken: {files: [missing.yaml]}
storages:
  memory: {}
pipelines:
  main: {collectors: [pcap], parsers: ["*"], taggers: [file, file/second], storages: [memory]}
"""
FIRST = """
hosts:
  - {name: old, addresses: 10.1.0.5, valid_to: "2026-01-01"}
  - {name: new, addresses: 10.1.0.5, valid_from: "2026-01-01", labels: {team: storage}}
"""
SECOND = """
subnets: [{name: office, cidr: 10.0.0.0/8, region: eu}]
hosts: [{name: other, addresses: 10.1.0.5}]
services: [{name: checkout, cidr: 10.1.0.5, ports: 443}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("metaflow.yaml", CONFIG), ("first.yaml", FIRST), ("second.yaml", SECOND)):
        (tmp_path / name).write_text(text)
    return tmp_path


def ask(folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "metaflow_core", "explain", "tag", "--config", "metaflow.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_who_says_what_and_whose_word_counts(folder: Path) -> None:
    said = {each["tagger"]: each for each in json.loads(ask(folder, "10.1.0.5", "--port", "443", "--json").stdout)}
    first, second, broken = said["file"], said["file/second"], said["file/broken"]
    assert first["tags"]["auto_instance"] == "new"
    assert json.loads(first["tags"]["cloud.tag"]) == {"team": "storage"}
    assert "auto_instance" in first["counted"]
    assert second["tags"]["auto_instance"] == "other"
    assert "auto_instance" not in second["counted"]
    assert {"region", "service"} <= set(second["counted"]), "what the first does not know, the second adds"
    assert "missing.yaml" in broken["problem"]


def test_at_another_time(folder: Path) -> None:
    said = json.loads(ask(folder, "10.1.0.5", "--at", "2025-06-01", "--json").stdout)
    assert said[0]["tags"]["auto_instance"] == "old"


def test_mistakes_are_sentences(folder: Path) -> None:
    wrong = ask(folder, "10.1.0")
    assert (wrong.returncode, wrong.stderr.strip()) == (1, "mflow: '10.1.0' is no IPv4 or IPv6 address")
    late = ask(folder, "10.1.0.5", "--at", "yesterday")
    assert late.returncode == 2
    assert "is no time such as" in late.stderr
