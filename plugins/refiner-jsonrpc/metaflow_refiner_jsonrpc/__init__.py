"""Names what travels as JSON-RPC over HTTP: methods, tools of the Model Context Protocol, errors."""
