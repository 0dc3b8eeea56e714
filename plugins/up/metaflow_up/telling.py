"""What components log, as sentences for the person in front: no level, no traceback; what the state of a component tells too is told once."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

__all__ = ["plain_sentences"]

_ROOT = "metaflow"
_STARTS = "metaflow.pipeline"
"""Logs warnings of what could not start and is left out; the block at the start has them under "left out"."""


class _Sentences(logging.Handler):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.name == _STARTS and record.levelno == logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        print(f"mflow: {record.getMessage()}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def plain_sentences() -> Iterator[None]:
    """Warnings and errors of MetaFlow go to standard error as sentences, where the program has set up nothing else."""
    logger = logging.getLogger(_ROOT)
    if logger.hasHandlers():
        yield
        return
    handler = _Sentences(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
