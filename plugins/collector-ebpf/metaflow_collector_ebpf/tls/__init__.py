"""TLS libraries of running processes: found, probed, and left alone when they cost too much."""
