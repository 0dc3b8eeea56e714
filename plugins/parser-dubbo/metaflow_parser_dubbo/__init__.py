"""Dubbo 2 for MetaFlow."""
