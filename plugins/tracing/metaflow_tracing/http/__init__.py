"""Answers over HTTP: ours, Tempo's, Jaeger's."""
