"""The HTTP side: requests as ClickHouse's clients send them, answers as they expect them."""
