"""Questions as plans: what dialects compile to and storages execute."""

from __future__ import annotations

from metaflow_core.query.history import Histories, Told, span_of
from metaflow_core.query.late import late
from metaflow_core.query.plan import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Fold,
    Grid,
    Limit,
    Measure,
    Named,
    Plan,
    Project,
    Resolution,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    SortKey,
    TimeRange,
    inputs,
)
from metaflow_core.query.prepare import prepare
from metaflow_core.query.reading import tables_of
from metaflow_core.query.retag import Retold, Subject, Tags, retold, subjects_of
from metaflow_core.query.series import Labelled, Labels, labels_of, series_dictionaries
from metaflow_core.query.where import parse_where

__all__ = [
    "Aggregate",
    "Combine",
    "Fill",
    "Filter",
    "Fold",
    "Grid",
    "Histories",
    "Labelled",
    "Labels",
    "Limit",
    "Measure",
    "Named",
    "Plan",
    "Project",
    "Resolution",
    "Resolve",
    "Retold",
    "Scan",
    "SemiJoin",
    "Sort",
    "SortKey",
    "Subject",
    "Tags",
    "TimeRange",
    "Told",
    "inputs",
    "labels_of",
    "late",
    "parse_where",
    "prepare",
    "retold",
    "series_dictionaries",
    "span_of",
    "subjects_of",
    "tables_of",
]
