"""Where ClickHouse runs: inside this process, or behind a URL."""
