"""Against a running Prometheus: a fixed set of expressions; the whole comparison is ``compare/compare.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare import run
from edges import edges
from prometheus import missing

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_same_answers(tmp_path: Path) -> None:
    total, found = run(500, tmp_path)
    unexplained = [each for each in found if each.reason == "unexplained"]
    assert total == 500
    assert not unexplained, "\n".join(f"{each.expression}: {each.kind}" for each in unexplained)
    assert len(found) <= 10


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_same_answers_at_the_edges(tmp_path: Path) -> None:
    total, found = run(500, tmp_path, 1, edges)
    unexplained = [each for each in found if each.reason == "unexplained"]
    assert total == 500
    assert not unexplained, "\n".join(f"{each.expression}: {each.kind}" for each in unexplained)
    assert len(found) <= 10
