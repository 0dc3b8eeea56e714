"""MySQL and MariaDB for MetaFlow."""
