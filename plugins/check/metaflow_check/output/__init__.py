"""Verdicts for people, machines and build servers."""
