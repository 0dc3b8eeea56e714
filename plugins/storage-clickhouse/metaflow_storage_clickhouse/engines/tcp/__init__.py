"""ClickHouse's native protocol: types, blocks as Arrow, connections, and the engine over them."""
