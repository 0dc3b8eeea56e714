"""Redis and Valkey for MetaFlow."""
