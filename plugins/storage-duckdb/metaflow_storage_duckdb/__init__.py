"""Records in one DuckDB file, with answers to plans as DuckDB SQL. The storage itself is in ``storage.py``."""
