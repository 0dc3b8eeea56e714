"""PostgreSQL for MetaFlow."""
