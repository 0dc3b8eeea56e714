"""Receives Prometheus remote write. The collector itself is in ``collector.py``."""
