"""PromQL's functions over numpy arrays."""
