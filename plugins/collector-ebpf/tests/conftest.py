"""One collector for all tests that only look: starting one takes a second or more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ebpf_programs import certificate
from ebpf_watching import Watching, watching, why_not

__all__ = ["certificate", "everything", "one_for_all"]


@pytest.fixture(scope="session")
def one_for_all() -> Iterator[Watching]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with watching() as found:
        yield found


@pytest.fixture
def everything(one_for_all: Watching) -> Watching:
    """What is seen from now on: the kernel gives one test the port that another has had."""
    one_for_all.forget()
    return one_for_all
