"""The catalogue's tables in ClickHouse: types, DDL, reflection, migrations."""
