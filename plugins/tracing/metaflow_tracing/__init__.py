"""Traces from rows: what belongs together, why, and how sure that is."""
