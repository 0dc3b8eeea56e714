"""TLS for MetaFlow."""
