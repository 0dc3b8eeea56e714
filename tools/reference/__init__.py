"""Generate the reference pages that can be read off the code: hooks, commands, error codes, options of plugins."""
