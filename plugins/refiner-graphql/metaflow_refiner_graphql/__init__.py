"""Names what travels as GraphQL over HTTP: operations and their errors."""
