"""The dialect keeps the contract of dialects."""

from __future__ import annotations

from metaflow_dialect_sql.plugin import metaflow_dialects

from metaflow_core.testing.contracts import DialectContract


class TestSql(DialectContract):
    factory = next(iter(metaflow_dialects()))
    malformed = (
        *DialectContract.malformed,
        "SELECT",
        "SELECT a FROM",
        "SHOW",
        "EXPLAIN",
        "SELECT ,",
        "`",
        "SELECT a FROM t WHERE (((",
    )
