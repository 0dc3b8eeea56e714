"""One collector for all tests that only look: starting one takes a second or more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ebpf_programs import certificate
from ebpf_watching import Watching, watching, why_not

__all__ = ["certificate", "everything"]


@pytest.fixture(scope="session")
def everything() -> Iterator[Watching]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with watching() as found:
        yield found
