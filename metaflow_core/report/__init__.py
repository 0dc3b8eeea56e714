"""What a person wants to know of a capture first: from batches of records to a summary, in bounded memory."""

from __future__ import annotations

from metaflow_core.report.model import Edge, Failure, Moment, Path, Protocol, Service, Slow, Summary, Trouble
from metaflow_core.report.summarise import Summariser
from metaflow_core.report.text import summary_lines

__all__ = [
    "Edge",
    "Failure",
    "Moment",
    "Path",
    "Protocol",
    "Service",
    "Slow",
    "Summariser",
    "Summary",
    "Trouble",
    "summary_lines",
]
