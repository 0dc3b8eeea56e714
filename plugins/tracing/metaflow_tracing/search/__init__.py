"""Finding traces without assembling them: conditions, summaries, names of services."""
