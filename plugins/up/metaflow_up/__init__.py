"""``mflow up``: watch this machine with whatever is installed."""
