"""Programs that run many coroutines on few threads."""
