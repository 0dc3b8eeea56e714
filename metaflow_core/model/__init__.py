"""Values: the record catalogue, its Arrow schemas, and expressions over its columns. Nothing here does I/O of its own."""
