"""The agent's half: rows into the spool, and from the spool to the server."""
