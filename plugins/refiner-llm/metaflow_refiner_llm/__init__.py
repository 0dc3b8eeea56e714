"""Names calls of language models: operation, model, tokens, errors; whole answers and streams."""
