"""Receives OpenTelemetry's OTLP. The collector itself is in ``collector.py``."""
