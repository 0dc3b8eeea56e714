"""Keeps serialised batches on disk, in order, until they are acknowledged. Knows nothing of the network."""
