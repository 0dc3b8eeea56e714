"""What the tests of this plugin share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from packets_of_shop import keeper, shop_blocks


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with the whole capture."""
    made = keeper(tmp_path, payload_bytes=65_535)
    await made.start()
    for block in shop_blocks():
        made.push(block)
    await made.stop()
    return tmp_path
