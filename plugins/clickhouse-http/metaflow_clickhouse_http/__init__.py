"""ClickHouse's HTTP interface over a store of MetaFlow, read only."""
