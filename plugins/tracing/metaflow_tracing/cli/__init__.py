"""Commands: traces in a terminal, from a server or from captures."""
