"""Which process an end of a connection belongs to, from this machine's /proc."""
