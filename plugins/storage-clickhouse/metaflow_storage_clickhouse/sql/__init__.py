"""Prepared plans as ClickHouse SQL."""
